"""What a training takes of the machine, by MLflow's own names where it has one, for the run's tab of system metrics."""

import psutil


class System:
    """Shares are those since the look before."""

    def __init__(self) -> None:
        psutil.cpu_percent()
        self.process = psutil.Process()

    def look(self) -> dict[str, float]:
        memory = psutil.virtual_memory()
        return {
            "system/cpu_utilization_percentage": psutil.cpu_percent(),
            "system/system_memory_usage_megabytes": memory.used / 1e6,
            "system/system_memory_usage_percentage": memory.percent,
            "system/memory_megabytes": self.process.memory_info().rss / 1e6,
            **_gpu(),
        }


def _gpu() -> dict[str, float]:
    import torch  # there already, wherever something trains

    told: dict[str, float] = {}
    for number in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(number)
        told[f"system/gpu_{number}_memory_usage_megabytes"] = (total - free) / 1e6
        told[f"system/gpu_{number}_memory_usage_percentage"] = 100 * (total - free) / total
    return told
