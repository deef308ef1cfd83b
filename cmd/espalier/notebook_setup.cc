// `espalier notebook-setup`: writes the file from which get_execution_role() of the SageMaker SDKs learns the role, so
// that no SDK asks the real STS (contracts/api.md 2.9).
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "espalier/commands.h"

namespace espalier::cmd {
namespace {

struct NotebookSetupOptions {
    std::string path = "/opt/ml/metadata/resource-metadata.json";
    std::string region = "us-east-1";
    std::string account = "123456789012";
    bool force = false;
};

std::string Metadata(const NotebookSetupOptions& options) {
    const std::string partition = options.region.starts_with("cn-")       ? "aws-cn"
                                  : options.region.starts_with("us-gov-") ? "aws-us-gov"
                                                                          : "aws";
    return "{\"ResourceArn\":\"arn:" + partition + ":sagemaker:" + options.region + ":" + options.account +
           ":notebook-instance/local\",\"ResourceName\":\"local\",\"ExecutionRoleArn\":\"arn:" + partition +
           ":iam::" + options.account + ":role/LocalSageMakerRole\"}\n";
}

/// Staging file, then rename: a reader sees the old file or the new one.
bool WriteFile(const std::filesystem::path& path, const std::string& text, std::string* why) {
    std::error_code error;
    if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
    if (error) {
        *why = path.parent_path().string() + ": " + error.message();
        return false;
    }
    std::filesystem::path staging = path;
    staging += ".new." + std::to_string(getpid());
    std::ofstream out(staging, std::ios::binary | std::ios::trunc);
    out << text;
    out.close();
    if (out) std::filesystem::rename(staging, path, error);
    if (!out || error) {
        *why = path.string() + ": " + (error ? error.message() : "cannot be written");
        std::filesystem::remove(staging, error);
        return false;
    }
    return true;
}

int Run(const NotebookSetupOptions& options) {
    const std::string text = Metadata(options);
    std::ifstream in(options.path, std::ios::binary);
    if (in) {
        std::ostringstream existing;
        existing << in.rdbuf();
        if (existing.str() == text) {
            std::printf("%s is already set up; nothing changed.\n", options.path.c_str());
            return 0;
        }
        if (!options.force) {
            std::fprintf(stderr,
                         "espalier notebook-setup: %s exists with other content (a SageMaker notebook has its own); "
                         "nothing changed. Use --force to replace it.\n",
                         options.path.c_str());
            return 1;
        }
    }
    std::string why;
    if (!WriteFile(options.path, text, &why)) {
        std::fprintf(stderr, "espalier notebook-setup: %s. Run it as root, or give another --path.\n", why.c_str());
        return 1;
    }
    std::printf(
        "Wrote %s:\n  %s"
        "get_execution_role() of the SageMaker SDK, versions 1 to 3, reads this file and returns the role in it\n"
        "without asking AWS. Any role is accepted by Espalier.\n"
        "To undo: rm %s\n",
        options.path.c_str(), text.c_str(), options.path.c_str());
    return 0;
}

std::string CheckAccount(const std::string& text) {
    bool digits = text.find_first_not_of("0123456789") == std::string::npos;
    return digits && text.size() == 12 ? "" : "an account is 12 digits";
}

}  // namespace

void AddNotebookSetup(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<NotebookSetupOptions>();
    if (const char* region = std::getenv("AWS_DEFAULT_REGION"); region != nullptr && *region != '\0') {
        options->region = region;
    }
    CLI::App* command = app.add_subcommand(
        "notebook-setup", "Let get_execution_role() of the SageMaker SDK work on this machine without AWS");
    command->add_option("--path", options->path, "The file to write")->capture_default_str();
    command->add_option("--region", options->region, "Region in the ARNs; default $AWS_DEFAULT_REGION")
        ->capture_default_str();
    command->add_option("--account", options->account, "Account in the ARNs, 12 digits")
        ->check(CheckAccount)
        ->capture_default_str();
    command->add_flag("--force", options->force, "Replace a file with other content");
    command->footer(
        "The SDKs ask a fixed https://sts.REGION.amazonaws.com for the role, whatever AWS_ENDPOINT_URL says, unless\n"
        "this file tells them. Needed once per machine, before the first notebook.\n"
        "\n"
        "Example:\n"
        "  sudo espalier notebook-setup\n"
        "  python3 -c 'import sagemaker; print(sagemaker.get_execution_role())'\n"
        "  # arn:aws:iam::123456789012:role/LocalSageMakerRole");
    command->callback([options, &exit_code] { exit_code = Run(*options); });
}

}  // namespace espalier::cmd
