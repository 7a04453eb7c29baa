"""What the account endpoints answer: one margin account a person, with what the control path put into it. Pure."""

from typing import Any

from quotewire.simulator.arguments import moment
from quotewire.simulator.call import Call
from quotewire.simulator.refusals import Refusal


def accounts(call: Call) -> dict[str, Any]:
    """`accounts`."""
    account = {
        "type": "Margin",
        "number": call.world.account_number(call.person),
        "status": "Active",
        "isPrimary": True,
        "isBilling": True,
        "clientAccountType": "Individual",
    }
    return {"accounts": [account], "userId": int(call.world.account_number(call.person)) % 1_000_000}


def positions(call: Call) -> dict[str, Any]:
    """`accounts/{n}/positions`: none."""
    _own(call)
    return {"positions": []}


def balances(call: Call) -> dict[str, Any]:
    """`accounts/{n}/balances`: the same modest cash in each view."""
    _own(call)
    names = ("perCurrencyBalances", "combinedBalances", "sodPerCurrencyBalances", "sodCombinedBalances")
    return {name: [_cash("CAD", 12_500.5), _cash("USD", 3_200.25)] for name in names}


def executions(call: Call) -> dict[str, Any]:
    """`accounts/{n}/executions`: those scripted through the control path."""
    _window(call)
    return {"executions": list(call.world.executions.get(_own(call), ()))}


def orders(call: Call) -> dict[str, Any]:
    """`accounts/{n}/orders`: those scripted through the control path."""
    _window(call)
    return {"orders": list(call.world.orders.get(_own(call), ()))}


def order(call: Call) -> dict[str, Any]:
    """`accounts/{n}/orders/{id}`."""
    found = [each for each in call.world.orders.get(_own(call), ()) if str(each.get("id")) == call.path["order"]]
    if not found:
        raise Refusal(1020)
    return {"orders": found}


def activities(call: Call) -> dict[str, Any]:
    """`accounts/{n}/activities`: none."""
    _own(call)
    _window(call)
    return {"activities": []}


def _own(call: Call) -> str:
    if call.path["number"] != call.world.account_number(call.person):
        raise Refusal(1018)
    return call.person


def _window(call: Call) -> None:
    for name in ("startTime", "endTime"):
        if name in call.query:
            moment(call.query[name], name)


def _cash(currency: str, amount: float) -> dict[str, Any]:
    return {
        "currency": currency,
        "cash": amount,
        "marketValue": 0,
        "totalEquity": amount,
        "buyingPower": amount * 2,
        "maintenanceExcess": amount,
        "isRealTime": True,
    }
