"""`adjudge schema`: the JSON Schema of policies and tests, for completion in any editor, and that of the service."""

from __future__ import annotations

import click

from adjudge.authoring.schema.json_schema import schema_of_policies, schema_of_tests
from adjudge.cli.extras import extra
from adjudge.cli.group import FINE
from adjudge.cli.output import print_json
from adjudge.cli.settings import Settings


@click.command("schema")
@click.option("--tests", "for_tests", is_flag=True, help="Of a test file.")
@click.option("--openapi", is_flag=True, help="Of `adjudge serve`, as the OpenAPI document that it serves.")
@click.pass_obj
def command(settings: Settings, for_tests: bool, openapi: bool) -> int:
    """Print the JSON Schema of a policy, with the providers that are installed here.

    An editor that knows YAML completes and checks with it: `adjudge schema > policy.schema.json`.
    """
    if openapi:
        if for_tests:
            raise click.UsageError("--tests and --openapi are two documents")
        with extra("serve"):
            from adjudge.service.openapi import openapi_document
            from adjudge.service.routes import ROUTES
        print_json(openapi_document(ROUTES))
        return FINE
    catalogue = settings.catalogue()
    print_json(schema_of_tests(catalogue) if for_tests else schema_of_policies(catalogue))
    return FINE
