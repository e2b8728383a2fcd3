"""The rights that the documentation lists, and giving them to the bridge's user."""

import re
from pathlib import Path

from confluent_kafka.admin import AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient
from confluent_kafka.admin import ResourcePatternType as Pattern
from confluent_kafka.admin import ResourceType as Kind
from harness import ROLES, until

ROLE_OF = {setting: role for role, setting in ROLES.items()}
SECURITY_PAGE = Path(__file__).resolve().parents[2] / "SECURITY.md"


def documented() -> list[list[tuple[str, str]]]:
    """The tables of rights: (operation, resource) in their order."""
    section = SECURITY_PAGE.read_text().split("## Rights that the bridge needs")[1].split("\n## ")[0]
    tables = [[], []]
    number = -1
    for line in section.splitlines():
        if line == "| right | on |":
            number += 1
        elif row := re.fullmatch(r"\| ((?:Read|Write)(?:, Write)?) \| (.+) \|", line):
            tables[number] += [(operation, row[2]) for operation in row[1].split(", ")]
    return tables


RIGHTS, INTAKE_RIGHTS = documented()


class Acls:
    """What user bridge may do; effective at the broker when a call returns."""

    def __init__(self, bridge):
        self.bridge, self.admin = bridge, AdminClient({"bootstrap.servers": bridge.servers})

    def binding(self, right: tuple[str, str]) -> AclBinding:
        operation, resource = right
        pattern = Pattern.LITERAL
        if topic := re.fullmatch(r"topic `topics\.(\w+)`", resource):
            kind, name = Kind.TOPIC, self.bridge.topic(ROLE_OF[topic[1]])
        elif group := re.fullmatch(r"group `group\.id`(.*)", resource):
            kind, name = Kind.GROUP, self.bridge.name + group[1]
        else:
            assert resource == "transactional ids that begin with `group.id`", resource
            kind, name, pattern = Kind.TRANSACTIONAL_ID, self.bridge.name, Pattern.PREFIXED
        return AclBinding(kind, name, pattern, "User:bridge", "*", AclOperation[operation.upper()],
                          AclPermissionType.ALLOW)

    def grant(self, *rights) -> None:
        for future in self.admin.create_acls([self.binding(right) for right in rights]).values():
            future.result(30)
        for right in rights:
            wanted = self.filter(right)
            until(lambda: self.admin.describe_acls(wanted).result(30), "an ACL is not there")  # noqa: B023

    def revoke(self, right) -> None:
        for future in self.admin.delete_acls([self.filter(right)]).values():
            future.result(30)
        until(lambda: not self.admin.describe_acls(self.filter(right)).result(30), "an ACL does not go")

    def filter(self, right) -> AclBindingFilter:
        one = self.binding(right)
        return AclBindingFilter(one.restype, one.name, one.resource_pattern_type, one.principal, one.host,
                                one.operation, one.permission_type)
