"""What looks like a secret in a definition, and what does not: no value is told, no real definition is held up."""

import json
import random
import string
import time
from pathlib import Path
from typing import Any

import pytest

from dispatcher.domain.definition import secret_faults
from dispatcher.domain.definition.wording import tells_of_secret
from dispatcher.domain.errors import InvalidRequest
from tests.domain.made import request

HERE = Path(__file__).parent
SHARED = HERE.parents[1].parent / "shared" / "data"
DEMO = HERE.parents[1] / "dispatcher" / "demo" / "definitions"

_random = random.Random(4711)


def made(length: int, characters: str = string.ascii_letters + string.digits) -> str:
    """Random characters, the same in every run: no token stands in this file for others' scanners to find."""
    return "".join(_random.choice(characters) for _ in range(length))


DIGITS, UPPER = string.digits, string.ascii_uppercase + "234567"
JWT = f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwiaWF0IjoxNTE2MjM5MDIyfQ.{made(43)}"

TOKENS = {
    "AWS access key id": "AKIA" + made(16, UPPER),
    "GitHub": "ghp_" + made(36),
    "GitHub fine-grained": f"github_pat_{made(22)}_{made(59)}",
    "GitLab": "glpat-" + made(20),
    "Slack": f"xoxb-{made(12, DIGITS)}-{made(12, DIGITS)}-{made(24)}",
    "Stripe": "sk_live_" + made(24),
    "OpenAI": f"sk-{made(20)}T3BlbkFJ{made(20)}",
    "OpenAI project": f"sk-proj-{made(74)}T3BlbkFJ{made(74)}",
    "Anthropic": f"sk-ant-api03-{made(93)}AA",
    "Hugging Face": "hf_" + made(34, string.ascii_letters),
    "Nosana": "nos_" + made(40),
    "Google": "AIza" + made(35),
    "JWT": JWT,
    "private key": f"-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA{made(60)}",
    "encrypted private key": "-----BEGIN ENCRYPTED PRIVATE KEY-----",
    "OpenSSH key": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "basic auth": f"https://user:{made(12)}@registry.example/v2",
    "redis with a password": f"redis://:{made(12)}@10.0.0.1:6379/0",
    "header": f"curl -H 'Authorization: Bearer {made(40)}' https://api.example",
}


def with_args(**args: Any) -> dict[str, Any]:
    return {
        "version": "0.1",
        "type": "container",
        "ops": [{"type": "container/run", "id": "main", "args": {"image": "ubuntu", **args}}],
    }


def paths(definition: object) -> list[str]:
    return [fault.path for fault in secret_faults(definition)]


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
@pytest.mark.parametrize("written", ["{}", "run --with {} --fast", "X={}", '{{"a": "{}"}}', "é {} é"])
def test_a_token_is_found_by_its_shape_wherever_it_stands(token: str, written: str) -> None:
    faults = secret_faults(with_args(cmd=["sh", "-c", written.format(token)]))
    assert [fault.path for fault in faults] == ["definition.ops[0].args.cmd[2]"]
    assert token[:40] not in str(faults[0])
    assert "pinned where everybody can read them" in faults[0].message
    assert 'allow_secrets=["definition.ops[0].args.cmd[2]"]' in faults[0].message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PASSWORD", "hunter2"),
        ("DB_PASSWORD", "correct horse battery staple"),
        ("dbPassword", "tr0ub4dor"),
        ("JUPYTER_TOKEN", made(32)),
        ("HF_TOKEN", "a8f5f167f44f4964e6c998dee827110c"),
        ("API_KEY", "Zx9-Qw2-Er4-Ty6"),
        ("OPENAI_API_KEY_2", made(20)),
        ("S3_SECRET_ACCESS_KEY", made(40)),
        ("S3_SECRET_ACCESS_KEY", "/" + made(39)),
        ("PASSWORD", "пароль-и-соль"),
        ("PASSWORD", "?!?)&%§"),
        ("CLIENT_SECRET", "8dyfuiRyq=vVc3RRr_edRk-fK__JItpZ"),
        ("SIGNING_KEY", made(24)),
        ("SPRING_DATASOURCE_PASSWORD", "p4ss"),
    ],
)
def test_a_name_tells_of_a_secret(name: str, value: str) -> None:
    assert paths(with_args(env={name: value})) == [f"definition.ops[0].args.env.{name}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HF_TOKEN", ""),
        ("HF_TOKEN", "<your token>"),
        ("HF_TOKEN", "your_token_here"),
        ("HF_TOKEN", "${TOKEN}"),
        ("HF_TOKEN", "$HF_TOKEN"),
        ("HF_TOKEN", "%%global.variables.HF_TOKEN%%"),
        ("HF_TOKEN", "%%ops.login.results.token%%"),
        ("HF_TOKEN", "{{ secrets.HF_TOKEN }}"),
        ("HF_TOKEN", "hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        ("HF_TOKEN", "hf_..."),
        ("OPENCLAW_GATEWAY_TOKEN", "MY_SECRET_TOKEN"),
        ("PASSWORD", "changeme"),
        ("PASSWORD", "********"),
        ("PASSWORD", "admin"),
        ("PASSWORD", "none"),
        ("PASSWORD", "123456"),
        ("VLLM_API_KEY", "EMPTY"),
        ("VLLM_API_KEY", "token-abc123"),
        ("OPENAI_API_KEY", "sk-no-key-required"),
        ("OPENAI_API_KEY", "not-needed"),
        ("OPENAI_API_KEY", "nos_your_api_key"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("JWT_SECRET", "/run/secrets/jwt"),
        ("HF_TOKEN_PATH", "/root/.cache/huggingface/token"),
        ("MAX_TOKENS", "4096abcdef"),
        ("TOKENIZER", "meta-llama/Llama-3.1-8B-Instruct"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("SECRET_NAME", "my-k8s-secret-1"),
        ("PWD", "/workspace"),
        ("MODEL_ID", "deepseek-ai/DeepSeek-R1-Distill-Llama-70B"),
        ("IMAGE", f"docker.io/nosana/x@sha256:{made(64, '0123456789abcdef')}"),
        ("REVISION", made(40, "0123456789abcdef")),
        ("CID", "QmSnc95rCymC4LczSNn36xNH1NtfEBbRHYZ3LdAiiaceBo"),
        ("WALLET", "8hP5WVzxX8qQE9s6J7BkUxEsb1vQD5viiEZ1pKVXSQFH"),
        ("RUN_ID", "0b5e7c7e-8f6a-4d0e-9a3b-0c1d2e3f4a5b"),
        ("URL", "https://user:${PASSWORD}@host.example"),
        ("URL", "https://user:<password>@host.example"),
        ("URL", "http://localhost:8000/v1@x"),
    ],
)
def test_what_stands_for_something_else_is_no_secret(name: str, value: str) -> None:
    assert paths(with_args(env={name: value})) == []


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("jupyter lab --ServerApp.token='' --ServerApp.password=''", False),
        ("jupyter lab --ServerApp.token=f3a9c2d17b", True),
        ("jupyter lab --ServerApp.password=argon2id", True),
        ("export HF_TOKEN=a8f5f167f44f4964e6c9 && run", True),
        ("login --password hunter2x9 --user me", True),
        ("login --password swordfish --user me", False),  # an option's value in a text must look random
        ("login --token 8f14e45fceea167a --user me", True),
        ("vllm serve x --api-key $KEY --max-num-batched-tokens 4096", False),
        ("vllm serve x --max-model-len 8192 --tokenizer mistralai/Mistral-7B-Instruct-v0.3", False),
        ("python -c \"token = os.environ['HF_TOKEN']; login(token=token)\"", False),
        ("python -c \"print(len(password)); api_key=get_secret('prod1')\"", False),
        ("curl -H 'Authorization: Bearer $TOKEN' https://x", False),
        ("echo secret: done, password: none", False),
    ],
)
def test_commands(command: str, found: bool) -> None:
    assert bool(paths(with_args(cmd=command))) == found
    assert bool(paths(with_args(cmd=["sh", "-c", command]))) == found


def test_the_argument_after_an_option_is_its_value() -> None:
    assert paths(with_args(cmd=["login", "--password", "hunter2"])) == ["definition.ops[0].args.cmd[2]"]
    assert paths(with_args(cmd=["serve", "--password", "--fast", "hunter2"])) == []


def test_the_formats_own_places_for_secrets() -> None:
    definition = with_args(
        authentication={"docker": {"username": "me", "password": "swordfish", "server": "ghcr.io"}},
        resources=[
            {
                "type": "S3",
                "target": "/d",
                "url": "u",
                "IAM": {
                    "REGION": "eu-central-1",
                    "ACCESS_KEY_ID": "minio-user",
                    "SECRET_ACCESS_KEY": "plain words",
                },
            },
            {"type": "HF", "target": "/d", "repo": "r", "accessToken": "opensesame"},
        ],
    )
    args = "definition.ops[0].args"
    assert paths(definition) == [
        f"{args}.authentication.docker.password",
        f"{args}.resources[0].IAM.ACCESS_KEY_ID",
        f"{args}.resources[0].IAM.SECRET_ACCESS_KEY",
        f"{args}.resources[1].accessToken",
    ]


def test_a_name_that_is_a_secret_itself_is_not_repeated() -> None:
    token = TOKENS["GitHub"]
    faults = secret_faults(with_args(env={token: "x", "A": "b"}, resources=[]))
    assert [fault.path for fault in faults] == ["definition.ops[0].args.env"]
    inner = secret_faults({"ops": [{token: {"PASSWORD": "hunter2"}}]})
    assert [fault.path for fault in inner] == ["definition.ops[0]", "definition.ops[0][***].PASSWORD"]
    assert token not in str(faults + inner)


@pytest.mark.parametrize("name", ["a b", "class", "1"])
def test_paths_are_written_as_other_faults_write_them(name: str) -> None:
    assert paths(with_args(env={f"{name} token": made(20)})) == [
        f'definition.ops[0].args.env["{name} token"]'
    ]


def test_an_allowed_place_is_allowed_and_no_other() -> None:
    definition = with_args(env={"PASSWORD": "hunter2", "TOKEN": made(30)})
    allowed = "definition.ops[0].args.env.PASSWORD"
    with pytest.raises(InvalidRequest) as caught:
        request(definition=definition, allow_secrets=[allowed, "definition.there.is.none"])
    assert [fault.path for fault in caught.value.faults] == ["definition.ops[0].args.env.TOKEN"]
    assert request(
        definition=definition, allow_secrets=[allowed, "definition.ops[0].args.env.TOKEN"]
    ).definition == (definition)


def test_secrets_are_told_with_all_other_faults_and_never_their_values() -> None:
    definition = with_args(env={"PASSWORD": "hunter2"}, cmdd="x")
    with pytest.raises(InvalidRequest) as caught:
        request(definition=definition, timeout="5", markt="x")
    assert [fault.path for fault in caught.value.faults] == [
        "timeout",
        "markt",
        "definition.ops[0].args.cmdd",
        "definition.ops[0].args.env.PASSWORD",
    ]
    assert "hunter2" not in str(caught.value)
    assert len(request(definition=with_args(), allow_secrets=["x"]).allow_secrets) == 1
    for wrong in ("x", ["x"] * 101, ["x" * 1001], [1], None):
        with pytest.raises(InvalidRequest) as caught:
            request(definition=definition).parse(
                {"definition": definition, "market": "m", "timeout": "5m", "allow_secrets": wrong}
            )


def recorded() -> list[tuple[str, Any]]:
    found = [(path.name, json.loads(path.read_text())) for path in sorted(DEMO.glob("*.json"))]
    found += [
        (f"{path.parent.name}/{path.name}", json.loads(path.read_text()))
        for path in SHARED.glob("definitions/*/*.json")
    ]
    for file in (HERE / "test_definition_verdicts.jsonl", SHARED / "definition-verdicts.jsonl"):
        if file.exists():
            rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
            found += [(row["name"], row["definition"]) for row in rows if row["valid"]]
    return found


def test_no_real_definition_gives_a_false_alarm() -> None:
    alarms = {name: [str(fault) for fault in secret_faults(definition)] for name, definition in recorded()}
    assert {name: faults for name, faults in alarms.items() if faults} == {}
    assert len(alarms) > 40


@pytest.mark.parametrize(
    "name", ["TOKEN", "api-key", "apiKey", "X_API_KEY_1", "my.secret", "AccessToken", "pat"]
)
def test_names_that_tell(name: str) -> None:
    assert tells_of_secret(name)


@pytest.mark.parametrize("name", ["", "KEY", "SORT_KEY", "TOKENS", "secrets_dir", "pathname", "compass", "1"])
def test_names_that_do_not(name: str) -> None:
    assert not tells_of_secret(name)


HOSTILE = {
    "one word": "a1B" * 80_000,
    "assignments": "a=b:" * 60_000,
    "options": "--token tok " * 20_000,
    "addresses": "://a:b" * 40_000,
    "half addresses": "://" + "a" * 240_000,
    "passwords without an end": "://:" + "p" * 240_000,
    "joints": "_-" * 120_000,
    "names": "token=" * 40_000,
    "headers": "Bearer " * 30_000,
    "half a key": "-----BEGIN A " * 20_000,
    "capitals": "aA" * 120_000,
    "blanks": " " * 240_000,
    "tokens": "eyJ" * 80_000,
    "dots": "." * 240_000,
    "references": "%%" * 120_000,
    "braces": "{{" * 120_000,
    "brackets": "<" * 240_000,
    "slashes": "/" * 240_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_largest_definition_takes_no_longer_for_being_hostile(text: str) -> None:
    """Whatever it holds: quadratic time would be minutes. By processor time, since others work on this machine."""
    secret_faults({"cmd": "load " + TOKENS["GitHub"]})
    begun = time.process_time()
    secret_faults({"cmd": text, "env": {"PASSWORD": text, "TOKEN": text}, text: text})
    assert time.process_time() - begun < 2
