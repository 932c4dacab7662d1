"""The order."""

from netwright.sandbox.order import Order


def test_an_order_survives_its_journey() -> None:
    order = Order(
        argv=["/bin/true"],
        bubblewrap=False,
        environment={"A": "b"},
        folder="/",
        descriptors=[7],
        rlimits=[(1, 2, 3)],
        ruleset=b"\0",
        rules=[("/usr", 4)],
        socket_filter=b"\1",
        drop_capabilities=True,
        wall_s=1.5,
        cpu_s=0.0,
        memory=5,
        processes=6,
        threads=7,
        temporary="/tmp/x",
        parent=8,
    )
    assert vars(Order.unpack(order.pack())) == vars(order)
