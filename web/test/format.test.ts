import { describe, expect, test } from "vitest";
import { age, change, clock, count, latency, price, size } from "../src/ui/format.ts";
import { sparkPath } from "../src/ui/sparkline.ts";

test.each([
  [236.45, "236.45"],
  [142, "142.00"],
  [10.005, "10.005"],
  [10.00125, "10.0013"],
  [0.085, "0.0850"],
  [-37.63, "-37.63"],
  [718_750.5, "718,750.50"],
  [0.1 + 0.2 + 1, "1.30"],
  [null, "–"],
  [undefined, "–"],
])("price %s is %s", (value, text) => {
  expect(price(value)).toBe(text);
});

describe("change", () => {
  test("has a sign, so that colour is not needed", () => {
    expect(change(102, 100)).toEqual({ amount: "+2.00", percent: "+2.00 %", direction: "up" });
    expect(change(98.5, 100)).toEqual({ amount: "−1.50", percent: "−1.50 %", direction: "down" });
  });

  test("of nothing is flat", () => {
    expect(change(100, 100)).toEqual({ amount: "0.00", percent: "0.00 %", direction: "flat" });
    expect(change(null, 100).amount).toBe("–");
    expect(change(100, undefined).percent).toBe("–");
    expect(change(100, 0).percent).toBe("–");
  });

  test("of cents has four decimals, of thousands has groups", () => {
    expect(change(0.085, 0.08).amount).toBe("+0.0050");
    expect(change(718_750, 713_718.75).amount).toBe("+5,031.25");
  });
});

test.each([
  [-500, "0 s"],
  [999, "0 s"],
  [59_999, "59 s"],
  [60_000, "1 min"],
  [3_600_000, "1 h"],
  [86_400_000 * 3, "3 d"],
])("age of %i ms is %s", (ms, text) => {
  expect(age(ms)).toBe(text);
});

test("counts, sizes, latency and times", () => {
  expect(count(24_413_484)).toBe("24,413,484");
  expect(count(null)).toBe("–");
  expect(size(12)).toBe("× 12");
  expect(size(null)).toBe("");
  expect(latency(0.4)).toBe("under 1 ms");
  expect(latency(20.4)).toBe("20 ms");
  expect(clock(null)).toBe("–");
  expect(clock(new Date(2026, 0, 2, 9, 5, 7).getTime())).toBe("09:05:07");
});

describe("spark lines", () => {
  test("fill their box, high prices at the top, the newest at the right", () => {
    const values = Array.from({ length: 41 }, (_, i) => i);
    const path = sparkPath(values, 100, 20);
    expect(path.startsWith("M0.0 20.0L2.5 19.5")).toBe(true);
    expect(path.endsWith("L100.0 0.0")).toBe(true);
  });

  test("are short while there are few trades", () => {
    expect(sparkPath([], 78, 20)).toBe("");
    expect(sparkPath([5], 78, 20)).toBe("");
    expect(sparkPath([1, 3, 2], 58, 20)).toBe("M54.0 20.0L56.0 0.0L58.0 10.0");
    expect(sparkPath([2, 2], 58, 20)).toBe("M56.0 10.0L58.0 10.0");
  });

  test("do not make much of a cent", () => {
    expect(sparkPath([200, 200.01], 58, 20)).toBe("M56.0 11.0L58.0 9.0");
  });
});
