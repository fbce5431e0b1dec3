"""Markets: pools of hosts of one kind, with a price per hour.

The first two are real ones as the API gives them. The others are made up, each for a purpose: a price that is
easy to reckon with, too few hosts, no price, and a price that is no number (both of the last kind exist on
the live network; nothing can be listed there with credits, so the simulator answers 403).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.simulator.identifiers import derived_address, is_address
from dispatcher.simulator.money import Rate

COMMUNITY_4090 = "Dcwz62TisNbWuto6KJM2EGYGVKnHbdZGVGmgLASzsXy8"
PREMIUM_3060 = "7AtiXMSH6R1jjBxrcYjehCkkSF7zvYWte63gwEDBcGHq"
A100 = derived_address("simulated market", "a100")
SCARCE = derived_address("simulated market", "scarce")
UNPRICED = derived_address("simulated market", "unpriced")
MISPRICED = derived_address("simulated market", "mispriced")

_SFT = "HLuwMuBQgJt9QzR64VuqKod5wxZkCogryK4CFqH2id43"
_HOSTS = 50


@dataclass(frozen=True, slots=True)
class Market:
    """One market: the document that the API gives of it, and how many hosts it has."""

    document: Mapping[str, Any]
    hosts: int = _HOSTS

    def __post_init__(self) -> None:
        if not isinstance(self.document.get("address"), str) or not is_address(self.document["address"]):
            raise ValueError("a market's document needs an address of 32 bytes in base58")
        if self.hosts < 0:
            raise ValueError("a market cannot have fewer than no hosts")

    @property
    def address(self) -> str:
        """Its address, 32 bytes base58."""
        return str(self.document["address"])

    @property
    def usd_per_hour(self) -> float | None:
        """USD per hour without the network fee; None where the document has no usable number."""
        price = self.document.get("usd_reward_per_hour")
        if (
            isinstance(price, bool)
            or not isinstance(price, int | float)
            or not math.isfinite(price)
            or price < 0
        ):
            return None
        return price

    def at(self, usd_per_hour: float | None) -> "Market":
        """The same market at another price; None: this one."""
        if usd_per_hour is None:
            return self
        return Market({**self.document, "usd_reward_per_hour": usd_per_hour}, self.hosts)

    @property
    def rate(self) -> Rate | None:
        """What a second costs with the network fee; None without a price."""
        usd = self.usd_per_hour
        return None if usd is None else Rate.per_hour(usd, self.document.get("network_fee_percentage", 0))

    @property
    def nos_price(self) -> int:
        """The price in a job record: millionths of a NOS token per second."""
        return round(float(self.document.get("nos_reward_per_second", 0)) * 1_000_000)


def market_document(address: str, slug: str, name: str, gpu: str, **more: Any) -> dict[str, Any]:
    """A market's document with the usual fields; `more` sets or adds fields, a None in it leaves one out."""
    document: dict[str, Any] = {
        "address": address,
        "slug": slug,
        "name": name,
        "sft": _SFT,
        "type": "PREMIUM",
        "usd_reward_per_hour": None,
        "nos_reward_per_second": 0.0005,
        "nos_job_price_per_second": 0.00055,
        "network_fee_percentage": 10,
        "premium_community_relation": None,
        "gpu_types": [gpu],
        "required_images": [],
        "required_remote_resources": [],
        "client": True,
        "lowest_vram": 24,
    }
    document.update(more)
    if document["usd_reward_per_hour"] is None:
        del document["usd_reward_per_hour"]
    return document


def default_markets() -> Sequence[Market]:
    """The built-in set; see this module's docstring for why each is there."""
    community = market_document(
        COMMUNITY_4090,
        "nvidia-4090-community",
        "NVIDIA 4090 Community",
        "NVIDIA GeForce RTX 4090",
        type="COMMUNITY",
        usd_reward_per_hour=0.218175,
        nos_reward_per_second=0.000196,
        nos_job_price_per_second=0.0002156,
        premium_community_relation="97G9NnvBDQ2WpKu6fasoMsAKmfj63C9rhysJnkeWodAf",
        required_images=["docker.io/ollama/ollama:0.11.3"],
        required_remote_resources=[{"type": "Ollama", "model": "llama3.1"}],
        client=False,
        max_usd_uptime_reward_per_day=0,
    )
    premium = market_document(
        PREMIUM_3060,
        "nvidia-3060",
        "NVIDIA 3060",
        "NVIDIA GeForce RTX 3060",
        usd_reward_per_hour=0.0436,
        nos_reward_per_second=0.00004,
        nos_job_price_per_second=0.000044,
        lowest_vram=12,
    )
    a100 = market_document(
        A100, "nvidia-a100", "NVIDIA A100", "NVIDIA A100 80GB PCIe", usd_reward_per_hour=0.9, lowest_vram=80
    )
    scarce = market_document(
        SCARCE, "nvidia-h100-scarce", "NVIDIA H100 (few hosts)", "NVIDIA H100", usd_reward_per_hour=1.5
    )
    unpriced = market_document(UNPRICED, "unpriced", "Without a price", "NVIDIA L40", type="OTHER")
    mispriced = market_document(
        MISPRICED, "mispriced", "Price not a number", "NVIDIA L4", type="OTHER", usd_reward_per_hour="N/A"
    )
    return [
        Market(community),
        Market(premium),
        Market(a100),
        Market(scarce, hosts=2),
        Market(unpriced),
        Market(mispriced),
    ]
