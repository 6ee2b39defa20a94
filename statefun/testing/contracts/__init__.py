"""Contract suites: what every implementation of a seam promises, as tests to inherit.

Law: a suite knows the protocol and nothing of an implementation. It needs no library; a runner of
tests that awaits coroutines collects it, for example pytest with pytest-asyncio.

    pytest.register_assert_rewrite("statefun.testing.contracts")  # in conftest.py, for good reports

    class TestMyIngress(IngressContract):
        @asynccontextmanager
        async def outside(self):
            async with my_service() as service:
                yield Outside(MyIngress(service), service)
"""

from statefun.testing.contracts.clock import ClockContract
from statefun.testing.contracts.egress import EgressContract, EgressOutside
from statefun.testing.contracts.ingress import IngressContract, IngressOutside
from statefun.testing.contracts.store import StoreContract
from statefun.testing.contracts.transport import TransportContract

__all__ = [
    "ClockContract",
    "EgressContract",
    "EgressOutside",
    "IngressContract",
    "IngressOutside",
    "StoreContract",
    "TransportContract",
]
