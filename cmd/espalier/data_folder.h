// The data directory: where it is, and that one server at a time uses it.
#pragma once

#include <string>

#include "base/fs.h"
#include "base/result.h"

namespace espalier::cmd {

/// $ESPALIER_DATA, else ~/.local/share/espalier.
std::string DefaultDataFolder();

/// Makes the folder (0700) with its parents.
Result<void> MakeDataFolder(const std::string& path);

/// Holds DATA/lock until the Fd is closed. kConflict, naming the holder's process id, when another server has it.
Result<Fd> LockDataFolder(const std::string& path);

/// Keeps the URL of the running server in DATA/endpoint, for `espalier env`.
Result<void> WriteEndpoint(const std::string& path, const std::string& url);

/// The URL of the server that was started last with this folder. kNotFound when none was.
Result<std::string> ReadEndpoint(const std::string& path);

}  // namespace espalier::cmd
