// The root key pair of a data directory: DATA/root_key.json, mode 0600, made on the first start.
#pragma once

#include <string>

#include "api/auth/keyring.h"
#include "base/result.h"

namespace espalier::cmd {

struct RootKey {
    std::string access_key_id;
    api::SecretKey secret;
};

/// From ESPALIER_ROOT_ACCESS_KEY_ID and ESPALIER_ROOT_SECRET_ACCESS_KEY when both are set (kInvalidArgument when only
/// one is), else from the file. kNotFound when there is neither; kCorruptData when the file cannot be read as a key
/// pair.
Result<RootKey> ReadRootKey(const std::string& data_folder);

/// ReadRootKey, or a new random pair that is on the disk before this returns.
Result<RootKey> ReadOrMakeRootKey(const std::string& data_folder);

}  // namespace espalier::cmd
