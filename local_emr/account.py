"""What an account has beside its clusters: security configurations and the block of public access, by region.

One JSON file, written whenever something changes. Use it inside the store's transaction.
"""

import json
import sys
from pathlib import Path
from typing import Any

from local_emr.home import write_atomic

Record = dict[str, Any]


class AccountRecord:
    """The file, and what it says."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._security: dict[str, dict[str, Record]] = {}  # region -> name -> DescribeSecurityConfiguration's answer
        self._public_access: dict[str, Record] = {}  # region -> GetBlockPublicAccessConfiguration's answer

    def load(self) -> None:
        """Read what an earlier server wrote; nothing when there is none, or it is damaged."""
        try:
            said = json.loads(self.file.read_text())
            self._security, self._public_access = said["SecurityConfigurations"], said["BlockPublicAccess"]
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            print(f"Ignored {self.file}: {error!r}", file=sys.stderr)

    def _save(self) -> None:
        said = {"SecurityConfigurations": self._security, "BlockPublicAccess": self._public_access}
        write_atomic(self.file, json.dumps(said))

    def security_configurations(self, region: str) -> list[Record]:
        """In the order in which they were made."""
        return list(self._security.get(region, {}).values())

    def security_configuration(self, region: str, name: str) -> Record | None:
        return self._security.get(region, {}).get(name)

    def add_security_configuration(self, region: str, record: Record) -> None:
        self._security.setdefault(region, {})[record["Name"]] = record
        self._save()

    def remove_security_configuration(self, region: str, name: str) -> None:
        del self._security[region][name]
        self._save()

    def public_access(self, region: str) -> Record | None:
        return self._public_access.get(region)

    def set_public_access(self, region: str, record: Record) -> None:
        self._public_access[region] = record
        self._save()
