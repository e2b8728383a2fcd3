"""The secured listeners of scripts/kafka: certificates, logins, and an authorizer that denies what no ACL allows."""

import os
import secrets
import subprocess
from pathlib import Path

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
USERS = ("admin", "bridge")
# The brokers' certificate is for this name only: a client that comes by address meets one for another name.
HOST = "localhost"


class Security:
    """What a secured cluster needs, made anew in a folder: nothing of it is worth keeping."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.passwords = {user: secrets.token_hex(12) for user in USERS}
        self.key_password = secrets.token_hex(12)

    def make(self) -> None:
        """Two authorities, of which the brokers know the first, and its certificates for brokers and client."""
        self.folder.mkdir()
        for name in ("ca", "other-ca"):
            self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={name}",
                         "-keyout", f"{name}.key", "-out", f"{name}.pem")
        (self.folder / "names").write_text(f"subjectAltName=DNS:{HOST}\n")
        for name in ("broker", "bridge"):
            self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.plain.key",
                         "-out", f"{name}.csr")
            self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                         "-days", "30", "-extfile", "names", "-out", f"{name}.crt")
        self.openssl("pkcs8", "-topk8", "-nocrypt", "-in", "broker.plain.key", "-out", "broker.key")
        self.openssl("pkcs8", "-topk8", "-in", "bridge.plain.key", "-out", "bridge.key", "-passout", "env:KEY_PASSWORD")
        (self.folder / "bridge.plain.key").unlink()
        # Java takes key and certificate from one file.
        (self.folder / "broker.pem").write_text(self.text("broker.key") + self.text("broker.crt"))

    def openssl(self, *arguments: str) -> None:
        """Throws `subprocess.CalledProcessError` with what openssl said."""
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, text=True, timeout=60,
                       env={**os.environ, "KEY_PASSWORD": self.key_password})

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def settings(self) -> list[str]:
        """Of a broker with the listeners SASL (with a login) and MUTUAL (with a client certificate)."""
        users = " ".join(f'user_{user}="{password}"' for user, password in self.passwords.items())
        modules = {"PLAIN": f"plain.PlainLoginModule required {users};"}
        lines = [
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # Who comes in plaintext has no name. Brokers among themselves do, and tests that set the scene.
            "super.users=User:ANONYMOUS;User:admin",
            f"listener.name.sasl.sasl.enabled.mechanisms={','.join(MECHANISMS)}",
            "listener.name.mutual.ssl.client.auth=required",
            "ssl.principal.mapping.rules=RULE:^CN=([a-z]+)$/$1/",
        ]
        for mechanism in MECHANISMS:
            module = modules.get(mechanism, "scram.ScramLoginModule required;")
            lines.append(f"listener.name.sasl.{mechanism.lower()}.sasl.jaas.config="
                         f"org.apache.kafka.common.security.{module}")
        for listener in ("sasl", "mutual"):
            lines += [
                f"listener.name.{listener}.ssl.keystore.type=PEM",
                f"listener.name.{listener}.ssl.keystore.location={self.folder}/broker.pem",
                f"listener.name.{listener}.ssl.truststore.type=PEM",
                f"listener.name.{listener}.ssl.truststore.location={self.folder}/ca.pem",
            ]
        return lines

    def format_arguments(self) -> list[str]:
        """The storage tool writes the logins of SCRAM into a cluster's first records."""
        arguments = []
        for user, password in self.passwords.items():
            for mechanism in MECHANISMS[1:]:
                arguments += ["--add-scram", f"{mechanism}=[name={user},password={password}]"]
        return arguments

    def env(self, sasl: list[int], mutual: list[int]) -> list[str]:
        """What a client needs, as lines NAME=value."""
        return [
            "KAFKA_SASL_BOOTSTRAP_SERVERS=" + ",".join(f"{HOST}:{port}" for port in sasl),
            "KAFKA_MUTUAL_BOOTSTRAP_SERVERS=" + ",".join(f"{HOST}:{port}" for port in mutual),
            f"KAFKA_CA_FILE={self.folder}/ca.pem",
            f"KAFKA_OTHER_CA_FILE={self.folder}/other-ca.pem",
            f"KAFKA_CERTIFICATE_FILE={self.folder}/bridge.crt",
            f"KAFKA_KEY_FILE={self.folder}/bridge.key",
            f"KAFKA_KEY_PASSWORD={self.key_password}",
            *(f"KAFKA_{user.upper()}_PASSWORD={password}" for user, password in self.passwords.items()),
        ]
