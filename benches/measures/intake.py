"""From Questrade's socket to the book: the cost of a quote alone, and 20 000 a second through the whole gateway."""

import time

from benches.setting import Outcome, Row, Setting, faults, figures, line
from quotewire.market.book import Book
from quotewire.market.quote import Freshness, Source
from quotewire.questrade.wire import QuotesFrame, decode_frame

QUOTES_PER_S = 20_000
SYMBOLS = 1000
PER_FRAME = 20
HEADROOM_CORE = 0.8
QUOTE = (
    '{{"symbol":"S{i:05d}.TO","symbolId":{id},"tier":"","bidPrice":36.45,"bidSize":{n},"askPrice":36.49,"askSize":17,'
    '"lastTradePriceTrHrs":36.47,"lastTradePrice":36.47,"lastTradeSize":100,"lastTradeTick":"Up",'
    '"lastTradeTime":"2026-03-03T10:00:00.000000-05:00","volume":{volume},"openPrice":19.9,"highPrice":99.81,'
    '"lowPrice":19.67,"delay":0,"isHalted":false,"high52w":138.13,"low52w":14.2,"VWAP":46.728364}}'
)


def run(setting: Setting) -> Outcome:
    """The two parts alone in this process, then the gateway with hardly a client."""
    outcome = Outcome()
    decode_ns, book_ns = _alone(setting)
    # Symbols nobody wants any more are carried on: the upstream is busy, the clients are not.
    with setting.gateway(SYMBOLS) as (load, _):
        load.connect("probe", 1, symbols=1, pick="same")
        answer = load.call(
            "run", rate=QUOTES_PER_S, frame=PER_FRAME, seconds=setting.seconds(6), settle=setting.settle_s
        )
        load.connect("check", 1, symbols=SYMBOLS, pick="same")
        after = load.call("status")
    run = figures(answer, "probe")
    setting.say(line("20 000 quotes/s", run))
    behind = after["groups"]["check"]["behind"]
    outcome.wrong += faults(answer, "intake")
    if behind:
        outcome.wrong.append(f"intake: the book is not at the newest quote of {behind} symbols")
    made = answer["made"] / answer["seconds"]
    core = answer["server_cpu"]
    outcome.data = {"decode_ns": decode_ns, "book_ns": book_ns, "gateway": run, "quotes_per_s": made, "core": core}
    sustained = made >= 0.98 * QUOTES_PER_S and core <= HEADROOM_CORE and not behind
    told = f"{made:,.0f} quotes/s with {core:.2f} of a core ({core / max(made, 1) * 1e6:.1f} us a quote, all included)"
    parts = f"{decode_ns / 1000:.1f} us to decode, {book_ns / 1000:.1f} us in the book"
    outcome.rows = [
        Row("decode to book, one quote, the two steps alone", "", parts),
        Row("upstream to book, one process", f"{QUOTES_PER_S:,} quotes/s with headroom", told, sustained),
    ]
    return outcome


def _alone(setting: Setting) -> tuple[float, float]:
    """Nanoseconds a quote to decode, and to merge into the book."""
    frames = [_frame(number) for number in range(100 if setting.quick else 2000)]
    begun = time.thread_time_ns()
    decoded = [decode_frame(frame) for frame in frames]
    decode_ns = time.thread_time_ns() - begun
    book = Book(1)
    patches = [patch for frame in decoded if isinstance(frame, QuotesFrame) for patch in frame.patches]
    begun = time.thread_time_ns()
    for patch in patches:
        book.apply(patch, source=Source.STREAM, received_at_ms=1, freshness=Freshness.LIVE)
    return decode_ns / len(patches), (time.thread_time_ns() - begun) / len(patches)


def _frame(number: int) -> bytes:
    first = number * PER_FRAME
    quotes = (
        QUOTE.format(i=i % SYMBOLS, id=1_000_001 + i % SYMBOLS, n=i, volume=10**6 + i)
        for i in range(first, first + PER_FRAME)
    )
    return f'{{"quotes":[{",".join(quotes)}]}}'.encode()
