"""What answers of the Web API say, as frozen structs by section.

Money and quantities are `Decimal`, market data `float`, times nanoseconds UTC (`*_ns`). None is "not told"; nothing
here is ever 0 because it was missing.
"""
