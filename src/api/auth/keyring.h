// The access keys this server accepts. Filled at start, read-only afterwards: thread-safe.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace espalier::api {

/// The secret half of a key pair. No formatter on purpose.
struct SecretKey {
    std::string value;
};

class Keyring {
  public:
    void Add(std::string access_key_id, SecretKey secret) { keys_[std::move(access_key_id)] = std::move(secret); }

    /// nullptr for an unknown key.
    const SecretKey* Find(std::string_view access_key_id) const {
        auto found = keys_.find(access_key_id);
        return found == keys_.end() ? nullptr : &found->second;
    }

  private:
    std::map<std::string, SecretKey, std::less<>> keys_;
};

}  // namespace espalier::api
