#include "meta/tags.h"

#include <fmt/format.h>
#include <soci/soci.h>

#include "meta/arn.h"

namespace espalier::meta {
namespace {

std::vector<Tag> ReadTags(soci::session& sql, const std::string& folded_arn) {
    std::vector<Tag> tags;
    Tag tag;
    soci::statement query = (sql.prepare << "SELECT key, value FROM tags WHERE arn = :arn ORDER BY position",
                             soci::use(folded_arn), soci::into(tag.key), soci::into(tag.value));
    query.execute();
    while (query.fetch()) tags.push_back(tag);
    return tags;
}

}  // namespace

Result<void> AddTags(soci::session& sql, const std::string& arn, std::span<const Tag> tags) {
    const std::string folded = FoldCase(arn);
    for (const Tag& tag : tags) {
        sql << "INSERT INTO tags (arn, key, value, position) VALUES (:arn, :key, :value, "
               "(SELECT coalesce(max(position), 0) + 1 FROM tags WHERE arn = :same)) "
               "ON CONFLICT (arn, key) DO UPDATE SET value = excluded.value",
            soci::use(folded), soci::use(tag.key), soci::use(tag.value), soci::use(folded);
    }
    int count = 0;
    sql << "SELECT count(*) FROM tags WHERE arn = :arn", soci::use(folded), soci::into(count);
    if (static_cast<std::size_t>(count) > kTagsPerResourceMax) {
        return Error(ErrorCode::kResourceLimit,
                     fmt::format("a resource can have at most {} tags", kTagsPerResourceMax));
    }
    return {};
}

void DropTags(soci::session& sql, const std::string& arn) {
    const std::string folded = FoldCase(arn);
    sql << "DELETE FROM tags WHERE arn = :arn", soci::use(folded);
}

Result<std::vector<Tag>> Tags::Add(const std::string& arn, std::span<const Tag> tags) {
    std::vector<Tag> all;
    TRY(database_.Write([&](soci::session& sql) -> Result<void> {
        TRY(AddTags(sql, arn, tags));
        all = ReadTags(sql, FoldCase(arn));
        return {};
    }));
    return all;
}

Result<std::vector<Tag>> Tags::List(const std::string& arn) const {
    std::vector<Tag> all;
    TRY(database_.Read([&](soci::session& sql) -> Result<void> {
        all = ReadTags(sql, FoldCase(arn));
        return {};
    }));
    return all;
}

Result<void> Tags::Remove(const std::string& arn, std::span<const std::string> keys) {
    const std::string folded = FoldCase(arn);
    return database_.Write([&](soci::session& sql) -> Result<void> {
        for (const std::string& key : keys)
            sql << "DELETE FROM tags WHERE arn = :arn AND key = :key", soci::use(folded), soci::use(key);
        return {};
    });
}

}  // namespace espalier::meta
