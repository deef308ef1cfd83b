// The espalier program: parse the command line, run the sub-command.
#include <CLI/CLI.hpp>

#include "espalier/commands.h"

int main(int argc, char** argv) {
    CLI::App app(
        "Espalier trains and serves gradient-boosted trees on your own machines through the Amazon S3, SageMaker and\n"
        "SageMaker Runtime APIs.",
        "espalier");
    app.set_version_flag("--version", "espalier 0.1.0");
    app.require_subcommand(1);
    int exit_code = 0;
    espalier::cmd::AddServe(app, exit_code);
    espalier::cmd::AddEnv(app, exit_code);
    espalier::cmd::AddNotebookSetup(app, exit_code);
    espalier::cmd::AddTrain(app, exit_code);
    espalier::cmd::AddPredict(app, exit_code);
    espalier::cmd::AddModel(app, exit_code);
    espalier::cmd::AddCapsule(app, exit_code);
    app.footer(
        "Start here:\n"
        "  espalier serve                 # prints: Espalier is ready at http://127.0.0.1:8642\n"
        "  eval \"$(espalier env)\"         # in another shell: boto3 and the SageMaker SDK now speak to it\n"
        "\n"
        "`espalier COMMAND --help` explains each command with an example.");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        // --help and --version arrive here too, with exit code 0.
        return app.exit(error) == 0 ? 0 : 2;
    }
    return exit_code;
}
