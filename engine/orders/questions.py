"""The questions that the venue is known to ask: what each is about, how its text reads, and which own check covers it.

Ids follow IBKR's list of suppressible messages (Web API documentation, "Order Reply Suppression"). One live account was
seen with other ids for the same texts, so an id counts only where the text fits it: `words` must be found in the text,
whatever their case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from attrs import frozen


@frozen
class Known:
    """One kind of question.

    `words` is a regular expression that a genuine text contains. `covered_by` names the condition of our own that asks
    the same thing before the order leaves; None where we have none. `confirm` is what we do by default: "decline",
    "confirm", or "confirm-if CONDITION".
    """

    about: str
    words: str
    covered_by: str | None = None
    default: str = "decline"

    def fits(self, text: str) -> bool:
        """Whether a text can be this question's."""
        return re.search(self.words, text, re.IGNORECASE) is not None


KNOWN: Final[Mapping[str, Known]] = {
    "o163": Known("limit price beyond the percentage constraint", r"percent", "collar", "confirm-if collar"),
    "o354": Known("no market data for the instrument", r"market data", "fresh_quote", "confirm-if fresh_quote"),
    "o382": Known("price off the tick size limit", r"tick", "tick"),
    "o383": Known("order size above the preset limit", r"size", "quantity", "confirm-if quantity"),
    "o403": Known("the stop would trigger at once", r"trigger|execut", None),
    "o451": Known("order value above the preset limit", r"value|total", "notional", "confirm-if notional"),
    "o2136": Known("mixed allocation", r"allocation", None),
    "o2137": Known("the order would turn the position round", r"cross|position|clos", "reduces"),
    "o2165": Known("no fractions outside regular hours", r"fraction", "lot"),
    "o10082": Known("called bond", r"bond", None),
    "o10138": Known("size of a modification beyond the limit", r"size|modif", "quantity", "confirm-if quantity"),
    "o10151": Known("risk of market orders", r"market order", "market_order", "confirm-if market_order"),
    "o10152": Known("risk of stop orders once they trigger", r"stop", "stop_order", "confirm-if stop_order"),
    "o10153": Known("a cap or floor price may be applied", r"cap|floor", "collar", "confirm-if collar"),
    "o10164": Known("details of a cash quantity", r"cash quantity", None),
    "o10223": Known("a cash quantity is simulated", r"cash quantity", None),
    "o10288": Known("market order for crypto", r"crypto", None),
    "o10331": Known("stop types and their risks", r"stop", "stop_order", "confirm-if stop_order"),
    "o10332": Known("crypto of a digital securities licence", r"crypto|digital", None),
    "o10333": Known("option exercise at the money", r"exercis", None),
    "o10334": Known("goes to the omnibus account", r"omnibus|account", None),
    "o10335": Known("rapid entry window", r"rapid|window", None),
    "o10336": Known("limited liquidity", r"liquid", None),
    "p6": Known("an order over several accounts", r"account|allocat|distribut", None),
    "p12": Known("offer of the price management algorithm", r"price management", None),
}

# What a rule may ask of us. All are facts of the gate's verdict on this very ticket; what is not known is no.
CONDITIONS: Final[Mapping[str, str]] = {
    "collar": "the price collar was asked and passed",
    "fresh_quote": "a quote of our own, not stale, was at hand",
    "tick": "price and quantity lie on tick and lot",
    "lot": "the quantity is whole lots",
    "quantity": "the quantity limit was asked and passed",
    "notional": "the notional limit was asked and passed",
    "reduces": "the order makes the position smaller and does not turn it round",
    "market_order": "the order is a market order as we meant it",
    "stop_order": "the order is a stop or trail as we meant it",
}
