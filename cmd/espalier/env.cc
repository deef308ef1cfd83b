// `espalier env`: the exports that point AWS clients of a shell at a server.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "espalier/commands.h"
#include "espalier/data_folder.h"
#include "espalier/root_key.h"
#include "espalier/serve_options.h"

namespace espalier::cmd {
namespace {

struct EnvOptions {
    std::string data_folder;
    std::string listen;  ///< "" = where the server of the data folder was started last
    std::string region = "us-east-1";
};

/// Safe between single quotes in any POSIX shell.
std::string Quote(const std::string& text) {
    std::string quoted = "'";
    for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

/// The URL for clients: from --listen, else what the last server of the folder noted, else the default address.
Result<std::string> EndpointUrl(const EnvOptions& options) {
    if (options.listen.empty()) {
        Result<std::string> noted = ReadEndpoint(options.data_folder);
        if (noted) return noted;
    }
    ListenAddress address = TRY(ParseListen(options.listen.empty() ? kDefaultListen : options.listen));
    if (address.port == 0) {
        return Error(ErrorCode::kInvalidArgument, "--listen needs the real port, the one in the server's ready line");
    }
    return "http://" + address.WithPort(address.port);
}

int Run(EnvOptions options) {
    auto fail = [](const std::string& message) {
        std::fprintf(stderr, "espalier env: %s\n", message.c_str());
        return 1;
    };
    if (options.data_folder.empty()) options.data_folder = DefaultDataFolder();
    Result<std::string> url = EndpointUrl(options);
    if (!url) return fail(url.error().ToString());
    Result<RootKey> key = ReadRootKey(options.data_folder);
    if (!key && key.error().code() == ErrorCode::kNotFound) {
        return fail("no key pair in " + options.data_folder + " yet; start `espalier serve --data " +
                    options.data_folder + "` once, it makes one");
    }
    if (!key) return fail(key.error().ToString());
    std::printf("export AWS_ENDPOINT_URL=%s\n", Quote(*url).c_str());
    std::printf("export AWS_DEFAULT_REGION=%s\n", Quote(options.region).c_str());
    std::printf("export AWS_ACCESS_KEY_ID=%s\n", Quote(key->access_key_id).c_str());
    std::printf("export AWS_SECRET_ACCESS_KEY=%s\n", Quote(key->secret.value).c_str());
    return 0;
}

}  // namespace

void AddEnv(CLI::App& app, int& exit_code) {
    auto options = std::make_shared<EnvOptions>();
    CLI::App* command = app.add_subcommand("env", "Print the shell exports that point AWS clients at a server");
    command->add_option("--data", options->data_folder,
                        "The server's data directory; default $ESPALIER_DATA or ~/.local/share/espalier");
    command->add_option("--listen", options->listen,
                        "HOST:PORT of the server; default: where the server of this data directory was started last");
    command->add_option("--region", options->region, "Region for the clients")->capture_default_str();
    command->footer(
        "The output holds the secret key: don't paste it into logs.\n"
        "\n"
        "Example:\n"
        "  eval \"$(espalier env)\"\n"
        "  python3 -c \"import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])\"");
    command->callback([options, &exit_code] { exit_code = Run(*options); });
}

}  // namespace espalier::cmd
