"""Order and execution messages, as REST and the notification socket show them. Pure.

Keys are those of captured and documented records, with their quirks (`comissionCharged`, `isSignificantShareHolder`).
What is given through the control path is laid over a plausible filled order.
"""

from typing import Any

from quotewire.simulator.world import World


def message(
    world: World, person: str, orders: list[dict[str, Any]], executions: list[dict[str, Any]] | None
) -> dict[str, Any]:
    """A notification: orders, or orders with executions. Both are kept for the account's REST answers."""
    number = world.account_number(person)
    now = world.text(world.market_now())
    kept = world.orders.setdefault(person, [])
    full = [_order(each, index, now) for index, each in enumerate(orders, len(kept) + 1)]
    kept += full
    shown: dict[str, Any] = {"orders": full}
    if executions is not None:
        done = world.executions.setdefault(person, [])
        extra = [_execution(each, index, now, full) for index, each in enumerate(executions, len(done) + 1)]
        done += extra
        shown["executions"] = extra
    return {**shown, "accountNumber": int(number)}


def _order(given: dict[str, Any], index: int, now: str) -> dict[str, Any]:
    number = 173_577_800 + index
    return {
        "id": number,
        "symbol": "AAPL",
        "symbolId": 8049,
        "totalQuantity": 100,
        "openQuantity": 0,
        "filledQuantity": 100,
        "canceledQuantity": 0,
        "side": "Buy",
        "orderType": "Limit",
        "limitPrice": 150.5,
        "stopPrice": None,
        "isAllOrNone": False,
        "isAnonymous": False,
        "icebergQuantity": None,
        "minQuantity": None,
        "avgExecPrice": 150.25,
        "lastExecPrice": 150.25,
        "source": "TradingAPI",
        "timeInForce": "Day",
        "gtdDate": None,
        "state": "Executed",
        "rejectionReason": "",
        "chainId": number,
        "creationTime": now,
        "updateTime": now,
        "notes": None,
        "primaryRoute": "AUTO",
        "secondaryRoute": "",
        "orderRoute": "LAMP",
        "venueHoldingOrder": "",
        "comissionCharged": 4.95,
        "exchangeOrderId": f"XS{number}",
        "isSignificantShareHolder": False,
        "isInsider": False,
        "isLimitOffsetInDollar": False,
        "userId": 0,
        "placementCommission": None,
        "legs": [],
        "strategyType": "SingleLeg",
        "triggerStopPrice": None,
        "orderGroupId": 0,
        "orderClass": None,
        "isCrossZero": False,
        **given,
    }


def _execution(given: dict[str, Any], index: int, now: str, orders: list[dict[str, Any]]) -> dict[str, Any]:
    order = orders[0] if orders else _order({}, 0, now)
    return {
        "symbol": order["symbol"],
        "symbolId": order["symbolId"],
        "quantity": order["filledQuantity"],
        "side": order["side"],
        "price": order["avgExecPrice"],
        "id": 53_817_300 + index,
        "orderId": order["id"],
        "orderChainId": order["chainId"],
        "exchangeExecId": f"XS{order['id']}{index:04d}",
        "timestamp": now,
        "notes": "",
        "venue": "LAMP",
        "totalCost": 15025,
        "orderPlacementCommission": 0,
        "commission": 4.95,
        "executionFee": 0,
        "secFee": 0,
        "canadianExecutionFee": 0,
        "parentId": 0,
        "legId": 0,
        **given,
    }
