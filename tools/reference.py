"""Write docs/reference: playbooks, roles, modules and the services of the embedded AWS, from their own documentation. A test compares the pages with it.

python tools/reference.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import get_docstring

from chronos_training.control.options.inputs import Role, entry_name, kind, plain, read_roles
from chronos_training.core.output import run

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "reference"
HEAD = "<!-- Written by `make reference` from the files' own documentation; a test compares them. -->\n"


def playbook_roles(path: Path) -> list[str]:
    """Return the names of the roles' entry points that a playbook runs, in order."""
    (play,) = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [entry["role"] for entry in play["roles"]] + _imported(play.get("tasks", []))


def taken_from(role: Role) -> list[str]:
    """Return the names of the entry points whose inputs `role` takes without running them."""
    path = ROOT / "roles" / role.folder / "tasks" / f"{role.entry}.yml"
    return _imported(yaml.safe_load(path.read_text(encoding="utf-8")) or [])


def _imported(tasks: list[dict[str, Any]]) -> list[str]:
    imported = [task["ansible.builtin.import_role"] for task in tasks if "ansible.builtin.import_role" in task]
    return [entry_name(one["name"], one.get("tasks_from", "main")) for one in imported]


def module_documentation(path: Path) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Return a module's DOCUMENTATION with its fragments, EXAMPLES and RETURN, as `ansible-doc` reads them."""
    fragment_loader.add_directory(str(ROOT / "plugins" / "doc_fragments"))  # once, however often it is called
    documentation, examples, returned, _ = get_docstring(str(path), fragment_loader, is_module=True)
    return documentation, examples, returned or {}


def pages() -> dict[str, str]:
    """Return the text of each page by its file name."""
    roles = read_roles(ROOT / "roles")
    return {
        "playbooks.md": "\n".join(_playbooks(roles)),
        "roles.md": "\n".join(_roles(roles)),
        "modules.md": "\n".join(_modules()),
        "structure.md": "\n".join(_structure(roles)),
        "embedded-aws.md": "\n".join(_embedded_aws()),
    }


def _embedded_aws() -> Iterator[str]:
    yield f"# Services of the embedded AWS\n\n{HEAD}"
    yield "What each service does, what it leaves out, and which gaps of moto it closes. How they are used: [the embedded AWS](../embedded-aws.md).\n"
    readmes = [ROOT / "local_aws" / "containers" / "README.md", *(ROOT / "local_aws" / "services").glob("*/README.md")]
    texts = sorted((path.read_text(encoding="utf-8"), path.parent.relative_to(ROOT)) for path in readmes)
    for text, folder in texts:  # by title
        first, _, rest = text.partition("\n")
        yield f"#{first}\n\n`{folder}/`\n{_deeper(rest)}"


def _deeper(text: str) -> str:
    """Return Markdown with its headings one level lower; what begins with # in a code block stays."""
    code, lines = False, []
    for line in text.splitlines():
        code ^= line.startswith("```")
        lines.append(f"#{line}" if line.startswith("##") and not code else line)
    return "\n".join(lines).rstrip() + "\n"


def _playbooks(roles: dict[str, Role]) -> Iterator[str]:
    yield f"# Playbooks\n\n{HEAD}"
    yield "What a person gives with `-e`; [roles.md](roles.md) has the rest. Every playbook takes `-e help=true`, `--check`"
    yield "and `--diff`.\n"
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        text = path.read_text(encoding="utf-8").splitlines()
        comment = [line.removeprefix("#").strip() for line in text if line.startswith("#")]
        yield f"## {path.name}\n"
        yield " ".join(line for line in comment if not line.startswith(("ansible-playbook", "[-e", "-e"))) + "\n"
        names = playbook_roles(path)
        yield "Roles: " + ", ".join(f"[{name}](roles.md#{name})" for name in names) + "\n"
        names += [taken for name in names for taken in taken_from(roles[name])]
        given = [(name, roles[role].options[name]) for role in names for name in roles[role].given()]
        yield from _options(given)


def _roles(roles: dict[str, Role]) -> Iterator[str]:
    yield f"# Roles\n\n{HEAD}"
    yield "Every option of every role, by what the options begin with. How a role works is in its README.\n"
    for role in roles.values():
        yield f"## {role.name}\n"
        where = f"role {role.folder}, tasks_from: {role.entry}; " if role.entry != "main" else ""
        yield f"{role.short}. ({where}[README](../../roles/{role.folder}/README.md))\n"
        yield from (f"{text}\n" for text in role.description)
        yield from _options(list(role.options.items()))


def _modules() -> Iterator[str]:
    yield f"# Modules\n\n{HEAD}"
    yield "What the roles call, for whoever writes another. All of them take check mode. One that fails returns `msg`, `changed`,"
    yield "`done` (what AWS had accepted by then) and `error_code` ([error codes](../errors.md)).\n"
    for path in sorted((ROOT / "library").glob("*.py")):
        about, examples, returned = module_documentation(path)
        yield f"## {path.stem}\n"
        yield f"{about['short_description']}.\n"
        yield from (f"{plain(text)}\n" for text in _list(about.get("description")))
        yield from _options(list(about["options"].items()))
        yield f"```yaml\n{examples.strip()}\n```\n"
        yield "Returns:\n"
        yield "| value | type | meaning |\n|---|---|---|"
        for name, value in returned.items():
            yield f"| `{name}` | {value['type']} | {_cell(' '.join(_list(value['description'])))} |"
        yield ""


def _structure(every: dict[str, Role]) -> Iterator[str]:
    yield f"# Structure\n\n{HEAD}"
    yield "Which roles a playbook runs, and which modules of ours a role calls; `training_inputs`, the first of every playbook, is"
    yield "left out.\n"
    modules = {path.stem for path in (ROOT / "library").glob("*.py")}
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        roles = [name for name in playbook_roles(path) if name != "training_inputs"]
        yield f"## {path.name}\n\n```mermaid\nflowchart LR\n  playbook([{path.stem}])"
        for name in roles:
            yield f"  playbook --> {name}"
            called = [module for module in _called(every[name]) if module in modules]
            yield from (f"  {name} --> module_{module}[[{module}]]" for module in dict.fromkeys(called))
        yield "```\n"


def _called(role: Role) -> list[str]:
    """Return the keys of a role's tasks, among them the modules that it calls, in order."""
    files = sorted(
        (ROOT / "roles" / role.folder / "tasks").glob("*.yml" if role.entry == "main" else f"{role.entry}.yml")
    )
    return [key for path in files for task in yaml.safe_load(path.read_text(encoding="utf-8")) or [] for key in task]


def _options(options: list[tuple[str, Any]]) -> Iterator[str]:
    if not options:
        yield "No options of its own.\n"
        return
    yield "| option | takes | meaning |\n|---|---|---|"
    for name, option in options:
        yield f"| `{name}` | {_cell(kind(option))} | {_cell(' '.join(_list(option['description'])))} |"
    yield ""


def _cell(text: str) -> str:
    # Braces and angle brackets as they are written: Markdown would take <env> for HTML.
    return plain(str(text)).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _list(value: Any) -> list[str]:
    return [str(value)] if not isinstance(value, list) else [str(one) for one in value]


def main() -> None:
    """Write the pages."""
    PAGES.mkdir(exist_ok=True)
    for name, text in pages().items():
        (PAGES / name).write_text(text.rstrip() + "\n", encoding="utf-8")
        print(f"written: docs/reference/{name}")


if __name__ == "__main__":
    raise SystemExit(run(main))
