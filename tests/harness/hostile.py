"""What a sender may put where something else is expected."""

from typing import Any

from hypothesis import strategies as st

ANY: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
"""Any value that a header of AMQP can hold, and some that it can not."""

PROPERTY: st.SearchStrategy[Any] = st.none() | st.text(max_size=300)
"""Any value of a text property: the protocol itself lets nothing else through."""
