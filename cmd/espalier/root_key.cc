#include "espalier/root_key.h"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/fs.h"

namespace espalier::cmd {
namespace {

constexpr std::uint64_t kKeyFileBytesMax = 4096;

std::string PathOf(const std::string& data_folder) {
    return data_folder + "/root_key.json";
}

Result<std::string> ReadSmallFile(Fs& fs, const std::string& path) {
    Fd file = TRY(fs.OpenForReading(path));
    std::uint64_t size = TRY(fs.SizeOf(file));
    if (size > kKeyFileBytesMax) return Error(ErrorCode::kCorruptData, path + " is too large for a key pair");
    std::string text(size, '\0');
    text.resize(TRY(fs.ReadAt(file, text, 0)));
    return text;
}

Result<std::string> RandomBytes(std::size_t num) {
    std::string bytes(num, '\0');
    if (getentropy(bytes.data(), bytes.size()) != 0) return ErrnoError("getentropy", errno);
    return bytes;
}

/// 20 characters of [A-Z2-7] as AWS's own, and 40 of base64.
Result<RootKey> MakeKey() {
    constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    RootKey key;
    key.access_key_id = "ESPA";
    for (char c : TRY(RandomBytes(16))) key.access_key_id += kBase32[static_cast<unsigned char>(c) % kBase32.size()];
    key.secret.value = Base64Encode(TRY(RandomBytes(30)));
    return key;
}

}  // namespace

Result<RootKey> ReadRootKey(const std::string& data_folder) {
    const char* id = std::getenv("ESPALIER_ROOT_ACCESS_KEY_ID");
    const char* secret = std::getenv("ESPALIER_ROOT_SECRET_ACCESS_KEY");
    if (id != nullptr || secret != nullptr) {
        if (id == nullptr || secret == nullptr || *id == '\0' || *secret == '\0') {
            return Error(ErrorCode::kInvalidArgument,
                         "set both ESPALIER_ROOT_ACCESS_KEY_ID and ESPALIER_ROOT_SECRET_ACCESS_KEY, or neither");
        }
        return RootKey{.access_key_id = id, .secret = {secret}};
    }
    RealFs fs;
    const std::string path = PathOf(data_folder);
    auto json = nlohmann::json::parse(TRY(ReadSmallFile(fs, path)), nullptr, /*allow_exceptions=*/false);
    auto field = [&](const char* name) {
        bool there = json.is_object() && json.contains(name) && json[name].is_string();
        return there ? json[name].get<std::string>() : std::string();
    };
    RootKey key{.access_key_id = field("access_key_id"), .secret = {field("secret_access_key")}};
    if (key.access_key_id.empty() || key.secret.value.empty()) {
        return Error(ErrorCode::kCorruptData, path + " holds no key pair; restore it, or remove it to get a new one");
    }
    return key;
}

Result<RootKey> ReadOrMakeRootKey(const std::string& data_folder) {
    Result<RootKey> known = ReadRootKey(data_folder);
    if (known || known.error().code() != ErrorCode::kNotFound) return known;
    RootKey key = TRY(MakeKey());
    nlohmann::json json = {{"access_key_id", key.access_key_id}, {"secret_access_key", key.secret.value}};
    RealFs fs;
    const std::string path = PathOf(data_folder);
    const std::string staging = path + ".new";
    Result<void> removed = fs.Remove(staging);  // left by a start that was cut short; the data directory is locked
    if (!removed && removed.error().code() != ErrorCode::kNotFound) return std::move(removed).error();
    Fd file = TRY(fs.Create(staging));
    TRY(fs.Append(file, json.dump() + "\n"));
    TRY(fs.Sync(file));
    TRY(fs.Rename(staging, path));
    TRY(fs.SyncFolder(data_folder));
    return key;
}

}  // namespace espalier::cmd
