"""Pages for operators: readable at 80 columns, with more beside it where the terminal is wide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.domain.moments import iso
from engine.operator.latches import sentence

WIDE: Final = 120
_COLOURS: Final = {
    "on": "green",
    "working": "green",
    "filled": "green",
    "halted": "red",
    "refused": "red",
    "lost": "red",
    "in_doubt": "yellow",
    "reducing": "yellow",
    "starting": "yellow",
    "cancelled": "dim",
}


def _coloured(word: str) -> Text:
    return Text(word, style=_COLOURS.get(word, ""))


def _time(stamp: str) -> str:
    """The time of day of an ISO stamp, to the second."""
    return stamp[11:19]


def _table(*columns: str, right: Iterable[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    numbers = set(right)
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    return table


def show_status(data: Mapping[str, Any], console: Console) -> None:
    """`engine status`."""
    first = Text("trading is ") + _coloured(data["trading"])
    for key in ("name", "mode", "account"):
        if data.get(key):
            first.append(f"  {key} {data[key]}")
    console.print(first)
    latches = data.get("latches", ())
    told = {latch["reason"] for latch in latches}
    for reason in (*map(sentence, latches), *(one for one in data.get("reasons", ()) if one not in told)):
        console.print(Text(f"  {reason}"))
    daemon = data.get("daemon") or {}
    if daemon:
        said = ", ".join(f"{key} {value}" for key, value in daemon.items() if value is not None)
        console.print(f"daemon: {said}", highlight=False)
    guard = data.get("guard")
    if isinstance(guard, Mapping):
        console.print(f"guard: {guard['stage']}, {guard['cancelled']} orders cancelled {guard['trouble']}".rstrip())
    table = _table("layer", "state", "why")
    for layer in data.get("layers", ()):
        state = Text("up", style="green") if layer["up"] else Text("down", style="red")
        table.add_row(layer["layer"], state, layer["reason"])
    if table.rows:
        console.print(table)
    orders = data.get("orders")
    if orders:
        console.print(
            f"orders: {orders['open']} open, {orders['in_doubt']} in doubt, {orders['frozen']} frozen;"
            f" positions: {data['positions']}",
            highlight=False,
        )
    if data.get("unwell"):
        console.print(f"only what makes positions smaller is sent: {data['unwell']}", style="yellow", highlight=False)
    if data.get("penalty"):
        console.print(data["penalty"], style="red", highlight=False)
    for question in data.get("questions", ()):
        console.print(
            f"question {question['question']} waits until {_time(question['until'])}: {' | '.join(question['texts'])}",
            style="yellow",
            highlight=False,
        )
    for alert in list(data.get("alerts", ()))[-5:]:
        about = f" ({alert['coid']})" if alert["coid"] else ""
        console.print(f"{_time(alert['time'])} {alert['code']}: {alert['sentence']}{about}", highlight=False)


def show_orders(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """`engine orders`."""
    if not rows:
        console.print("no orders")
        return
    wide = console.width >= WIDE
    extra = ("type", "price", "average", "order id", "updated", "reason") if wide else ()
    table = _table(
        "order", "side", "quantity", "instrument", "filled", "status", *extra, right=("quantity", "filled", "price")
    )
    for row in rows:
        cells: list[Any] = [
            row["coid"],
            row["side"],
            row["quantity"],
            row["symbol"] or str(row["conid"]),
            row["filled"],
            _coloured(row["status"] if row.get("question") is None else f"held, question {row['question']}"),
        ]
        if wide:
            price = row["limit_price"] or row["stop_price"] or ""
            reason = row["code"] or row["reason"]
            average = row["average_price"] or ""
            cells += [row["order_type"], price, average, row["order_id"] or "", _time(row["updated"]), reason]
        table.add_row(*cells)
    console.print(table)
    console.print(f"{len(rows)} orders, {sum(row['open'] for row in rows)} open", highlight=False)


def show_positions(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """`engine positions`."""
    if not rows:
        console.print("nothing is held")
        return
    table = _table("instrument", "quantity", "average cost", "", "strategy", right=("quantity", "average cost"))
    for row in rows:
        name = row["symbol"] or str(row["conid"])
        table.add_row(name, row["quantity"], row["avg_cost"], row["currency"], row["strategy"])
    console.print(table)


def show_pnl(data: Mapping[str, Any], console: Console) -> None:
    """`engine pnl`."""
    if data["rows"]:
        right = ("quantity", "price", "realised", "unrealised")
        table = _table("strategy", "instrument", *right, "", right=right)
        for row in data["rows"]:
            table.add_row(
                row["strategy"],
                row["symbol"],
                row["quantity"],
                row["price"] or "none",
                row["realised"],
                row["unrealised"] or "unknown",
                row["currency"],
            )
        console.print(table)
    account = data["account"]
    known = "" if account["complete"] else " (not all positions have a price)"
    console.print(
        f"realised {account['realised']}, unrealised {account['unrealised']}{known}, fees {account['fees']},"
        f" total {account['total']}",
        highlight=False,
    )
    console.print("cash: " + (", ".join(f"{amount} {name}" for name, amount in data["cash"].items()) or "none"))


def show_rows(rows: Iterable[tuple[int, int, str, str, str]], console: Console) -> None:
    """`engine journal show`: number, time, kind, name, sentence."""
    table = _table("row", "time (UTC)", "kind", "name", "says", right=("row",))
    for seq, ts_ns, kind, name, says in rows:
        stamp = iso(ts_ns)
        time = f"{stamp[:10]} {stamp[11:23]}" if console.width >= WIDE else stamp[11:19]
        table.add_row(str(seq), time, kind, name, Text(says))
    console.print(table)


def show_story(told: Mapping[str, Any], console: Console) -> None:
    """`engine why`."""
    order = told["order"]
    head = Text(told["coid"], style="bold")
    if told["order_id"]:
        head.append(f"  order id {told['order_id']}")
    if order is not None:
        head.append("  ")
        head.append_text(_coloured(order["status"]))
        head.append(
            f"  {order['side']} {order['quantity']} of {order['symbol'] or order['conid']}, filled {order['filled']}"
        )
    console.print(head)
    day = ""
    table = _table("time (UTC)", "what was known or done", "rule")
    for row in told["rows"]:
        stamp = row["time"]
        shown = stamp[11:26].ljust(15, "0") if "." in stamp else stamp[11:19]
        if stamp[:10] != day:
            day = stamp[:10]
            table.add_row(Text(day, style="dim"), "", "")
        table.add_row(shown, Text(row["says"]), row["rule"] or "")
    console.print(table)
