// SHA-256 of files that do not change: the hard links of blobs in work folders.
//
// A file is known by its device, inode, size and time of writing, which all links of one blob have in common, so data
// that a hundred jobs train on are read once. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <tuple>

#include "base/result.h"

namespace espalier::jobs {

struct ContentDigest {
    std::uint64_t size_bytes = 0;
    std::string sha256;  ///< in hex
};

class ContentDigests {
  public:
    /// `cancelled` is asked between pieces of the file: kCancelled.
    Result<ContentDigest> Of(
        const std::string& path, const std::function<bool()>& cancelled = [] { return false; });

  private:
    using Identity = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::int64_t, std::int64_t>;
    static constexpr std::size_t kKnownMax = 100'000;  // some 20 MB

    std::mutex mutex_;
    std::map<Identity, std::string> known_;  // guarded by mutex_
};

}  // namespace espalier::jobs
