"""The `provenn` command."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from provenn.adopt.init import init
from provenn.adopt.new import new
from provenn.dependencies import deps
from provenn.files import UserError
from provenn.garbage.command import gc
from provenn.gate import gate
from provenn.report.command import report
from provenn.repository import find_root
from provenn.sweep.command import sweep
from provenn.terminal import Json, console
from provenn.trust.exports.command import export

app = typer.Typer(
    help="For any DVC repository: stages side by side, MLflow as a view of dvc.lock, results traced and repeated.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
PrivateKey = Annotated[
    Path | None,
    typer.Option("--key", help="A private key in PEM; without it ~/.config/provenn/key.pem, made when missing."),
]
TARGET = typer.Argument(help="A run's id, a file, a stage, or models:/<name>@champion.")


@app.command()
def repro(
    targets: Annotated[
        list[str] | None,
        typer.Argument(help="Stages (train@x), groups of them (train) or a dvc.yaml, with all they need."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Stages at once.", show_default="cores")
    ] = None,
    on: Annotated[
        str,
        typer.Option("--on", metavar="ENGINE", help="Other machines: dask://host:8786, ray://host:10001, local, ray."),
    ] = "",
    wait: Annotated[
        float, typer.Option("--wait", min=1, metavar="SECONDS", help="With --on: how long a stage waits for a node.")
    ] = 300.0,
    platform: Annotated[
        str, typer.Option("--platform", metavar="NAME", help="With --on: only on nodes that offer this resource.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Run every stage whose data, parameters or code changed, side by side.

    The result is that of `dvc repro --all-pipelines`, byte for byte, dvc.lock
    included.
    A stage that DVC finds in its cache is restored instead of run. MLflow
    shows every stage while it works; it needs no change of its code.

    A stage that fails stops what needs it and nothing else. Its log is shown
    at the end; all logs are in .dvc/tmp/provenn/logs/.

    Ctrl-C ends all stages; the next repro goes on from there.

    With --on stages run on the workers of Dask or Ray, which share no files
    with this machine: what stages read and make goes by the default remote
    (dvc remote add -d NAME URL), what they need stands in dvc.yaml under
    meta: provenn: cpus, gpus, memory. The result is the same. Where nodes
    have processors of several kinds, --platform keeps stages on one of them.
    `local` starts a Dask here, `ray` a Ray, to try it out.

    Exits with 0 when everything is up to date, with 1 when a stage failed.

    Examples: provenn repro · provenn repro train -j 1 · provenn repro --on
    dask://head:8786
    """
    from provenn.repro.engines.connect import Destination
    from provenn.repro.runner import reproduce
    from provenn.repro.screen import make_view, show_failure

    view, shown = make_view(as_json)
    with shown:
        report = reproduce(find_root(), targets or (), jobs, view, Destination(on, wait, platform))
    for name in report.failed:
        show_failure(name, report.logs[name], sys.stderr)
    print(json.dumps(report.as_json(), indent=2) if as_json else report.sentence)
    raise typer.Exit(report.exit_code)


@app.command()
def sync(
    uri: Annotated[str | None, typer.Option(help="Another store or server to show everything in.")] = None,
    all_commits: Annotated[bool, typer.Option("--all-commits", help="Show git's history too.")] = False,
    as_json: Json = False,
) -> None:
    """Make MLflow agree with dvc.lock: add what is missing from the files alone.

    What is nowhere to be found leaves a run partial, with parameters and what
    git holds; the exit code is then 1, and the next sync completes it.
    """
    from provenn.view.sync import synchronise

    report = synchronise(find_root(), uri=uri, all_commits=all_commits)
    if as_json:
        print(json.dumps(report.as_dict(), indent=2))
    else:
        console().print(report.table())
    raise typer.Exit(int(not report.complete))


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port on this machine; 0 takes a free one.")] = 5000,
) -> None:
    """Open MLflow on the repository's runs, reachable from this machine alone."""
    from provenn.view.server import serve

    raise typer.Exit(serve(find_root(), port))


@app.command()
def lineage(target: Annotated[str, TARGET], as_json: Json = False) -> None:
    """Show where a result comes from and what was made of it: commit, data, parameters, run, metrics, artifacts."""
    from provenn.trust.lineage import as_tree, trace

    chain = trace(target, find_root())
    if as_json:
        print(json.dumps(chain, indent=2))
    else:
        console().print(as_tree(chain), highlight=False, soft_wrap=True)


@app.command()
def reproduce(
    target: Annotated[str, TARGET],
    keep: Annotated[bool, typer.Option("--keep", help="Leave the clone in which it ran.")] = False,
    sign: Annotated[bool, typer.Option("--sign", help="Sign the verdict, in attestations/reruns/.")] = False,
    key: PrivateKey = None,
    as_json: Json = False,
) -> None:
    """Run a result again from its commit and compare: 0 bit-identical, 3 within tolerance, 4 different."""
    from provenn.trust.reproduce import reproduce as run_again

    root = find_root()
    answer = run_again(target, root, keep=keep)
    if sign:
        from provenn.trust.attest import attest_rerun

        answer.signed = str(attest_rerun(root, answer, key))
    if as_json:
        print(json.dumps(asdict(answer), indent=2))
    else:
        console().print(answer.table())
    raise typer.Exit(answer.exit_code)


@app.command()
def attest(
    targets: Annotated[list[str] | None, typer.Argument(help="Stages; without any, all that have a result.")] = None,
    key: PrivateKey = None,
    as_json: Json = False,
) -> None:
    """Sign, for each stage, what made its results: an in-toto statement with SLSA provenance in attestations/.

    Models are signed too, so that `model_signing verify key` checks them alone.

    It names the commit, command, parameters and platform, and of every file
    DVC's MD5 and the SHA-256. Commit the folder; your private key stays in
    ~/.config/provenn/. Others check it with `provenn verify --attestations`.
    """
    from provenn.trust.attest import attest as sign_stages

    done = sign_stages(find_root(), targets or (), key)
    if as_json:
        print(json.dumps(done.as_json(), indent=2))
    else:
        print(done.sentence)


@app.command()
def verify(
    attestations: Annotated[
        bool, typer.Option("--attestations", help="Check the signed statements instead, without network.")
    ] = False,
    keys: Annotated[
        list[Path] | None,
        typer.Option("--key", help="A public key in PEM that you trust; again for more. Default: attestations/keys/."),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Heal what is damaged, then look again.")] = False,
    as_json: Json = False,
) -> None:
    """Check DVC's cache and the outputs by digest, and that run cache, dvc.lock and MLflow's runs are whole.

    Each finding is one line with the command that heals it. --fix sets damaged
    files aside (.dvc/tmp/provenn/damaged/), takes the results from the cache
    or runs their stages again, and adds missing runs to MLflow.

    Exits with 1 while anything is damaged.
    """
    root = find_root()
    if attestations and fix:
        raise UserError("--fix does not go with --attestations: nobody else can sign again what was changed.")
    if keys and not attestations:
        raise UserError("--key is for `provenn verify --attestations`.")
    if attestations:
        from provenn.trust.check import verify_attestations

        answer = verify_attestations(root, keys or ())
        lines, shown, sentence = [*map(str, answer.findings)], asdict(answer), answer.sentence
    else:
        from provenn.trust.verify import find_damage, heal

        damage = list(find_damage(root))
        if fix and damage:
            from provenn.repro.screen import make_view

            view, screen = make_view(as_json)
            with screen:
                damage = heal(root, damage, view)
        lines, shown = [*map(str, damage)], {"damaged": [asdict(one) for one in damage]}
        sentence = f"Damaged: {len(lines)}; `provenn verify --fix` heals." if lines else "Nothing is damaged."
    if as_json:
        print(json.dumps(shown, indent=2))
    else:
        print("\n".join([*lines, sentence]))
    raise typer.Exit(int(bool(lines)))


for command in (init, new, gate, deps, export, report, sweep, gc):
    app.command()(command)
