from typing import Any
Dirt: Any = None
