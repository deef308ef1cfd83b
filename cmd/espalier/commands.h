// The sub-commands of `espalier`, one file each. Each Add… declares its flags, help and a worked example on `app`; when
// the command line chose it, CLI11 runs it and it leaves the program's exit code in `exit_code`: 0 done, 1 failed (the
// reason is on stderr), 2 wrong usage.
#pragma once

namespace CLI {
class App;
}

namespace espalier::cmd {

void AddServe(CLI::App& app, int& exit_code);
void AddEnv(CLI::App& app, int& exit_code);
void AddNotebookSetup(CLI::App& app, int& exit_code);
void AddTrain(CLI::App& app, int& exit_code);
void AddPredict(CLI::App& app, int& exit_code);
void AddModel(CLI::App& app, int& exit_code);
void AddCapsule(CLI::App& app, int& exit_code);

}  // namespace espalier::cmd
