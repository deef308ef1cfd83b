// Tags of SageMaker resources, kept by ARN (lower-cased) in the order they were first added.
// Thread-safe.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "meta/database.h"

namespace espalier::meta {

inline constexpr std::size_t kTagsPerResourceMax = 50;

struct Tag {
    std::string key;
    std::string value;
};

/// Adds tags inside a transaction of the caller's, replacing the values of keys that are there.
/// kResourceLimit when the resource would have more than kTagsPerResourceMax.
Result<void> AddTags(soci::session& sql, const std::string& arn, std::span<const Tag> tags);
/// Drops all tags of a resource inside a transaction of the caller's.
void DropTags(soci::session& sql, const std::string& arn);

class Tags {
  public:
    explicit Tags(Database& database) : database_(database) {}

    /// As the function above; gives the full list that results.
    Result<std::vector<Tag>> Add(const std::string& arn, std::span<const Tag> tags);
    Result<std::vector<Tag>> List(const std::string& arn) const;
    /// Keys that are not there are fine.
    Result<void> Remove(const std::string& arn, std::span<const std::string> keys);

  private:
    Database& database_;
};

}  // namespace espalier::meta
