"""Write the page api/generated/command_line.md with the help of each command."""

from pathlib import Path

from click.testing import CliRunner

from sklearn_neurocontext.cli import main


def _write_help(app):
    """Write the help of `neurocontext` and of its commands."""
    lines = ["# Command line\n"]
    for name in ["", *main.commands]:
        command = f"neurocontext {name}".strip()
        arguments = [*name.split(), "--help"]
        result = CliRunner().invoke(
            main, arguments, prog_name="neurocontext", terminal_width=88
        )
        title = f"\n## {command}\n" if name else ""
        lines.append(f"{title}\n```text\n{result.output.rstrip()}\n```\n")
    folder = Path(app.srcdir) / "api" / "generated"
    folder.mkdir(exist_ok=True)
    text = "\n".join(lines)
    (folder / "command_line.md").write_text(text, encoding="utf-8")


def setup(app):
    """Connect the function to the start of the build."""
    app.connect("builder-inited", _write_help)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
