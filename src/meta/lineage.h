// Lineage in SQL: what was made of what, as a graph.
//
// Nouns: LineageEntity (an artifact, an action, a context or a trial component; its identity is kind and name, the last
// two parts of its ARN), LineageEdge (from what came first to what came of it, or what it belongs to). The platform
// notes entities and edges as it makes things; clients may add their own. Rows outlive the jobs, models and endpoints
// that they tell of. An edge goes with either of its ends. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "meta/database.h"
#include "meta/scope.h"

namespace soci {
class session;
}

namespace espalier::meta {

inline constexpr std::string_view kArtifact = "artifact";
inline constexpr std::string_view kAction = "action";
inline constexpr std::string_view kContext = "context";
inline constexpr std::string_view kTrialComponent = "experiment-trial-component";

struct LineageKey {
    std::string kind;  ///< as ARNs spell it
    std::string name;  ///< as in ARNs, lower case; artifacts have a hash

    auto operator<=>(const LineageKey&) const = default;
};

struct LineageEntity {
    LineageKey key;
    std::string type;             ///< "DataSet", "Model", "Endpoint", "TrainingJob", …
    std::string source_uri;       ///< an S3 URI, an ARN, an image
    std::string document = "{}";  ///< JSON: the members that Describe adds
    UnixMillis created_at = 0;
    UnixMillis modified_at = 0;
};

struct LineageEdge {
    LineageKey source;
    LineageKey destination;
    std::string type;  ///< "ContributedTo", "Produced", …
    UnixMillis created_at = 0;
};

/// What is made of what, to be noted.
struct LineageNote {
    std::vector<LineageEntity> entities = {};
    std::vector<LineageEdge> edges = {};
};

/// Adds what is not there yet, inside a transaction: a thing and its lineage are made together. Entities that are there
/// stay as they are but for modified_at: whoever made them knew most of them.
void NoteLineage(soci::session& sql, const Scope& scope, const LineageNote& note);

/// The name of the artifact with that source and those bytes: the same content at the same place is the same artifact.
std::string ArtifactName(std::string_view source_uri, std::string_view content);

struct LineageListQuery {
    Scope scope;
    std::string kind;
    std::string type = {};        ///< "" = any
    std::string source_uri = {};  ///< "" = any
    std::optional<UnixMillis> created_after = {};
    std::optional<UnixMillis> created_before = {};
    bool by_name = false;  ///< else by time of creation
    bool descending = true;
    std::size_t limit = 10;
    /// Behind this entity (its created_at and name are looked at).
    std::optional<LineageEntity> after = {};
};

class Lineage {
  public:
    /// `database` is borrowed.
    explicit Lineage(Database& database) : database_(database) {}

    /// NoteLineage in a transaction of its own.
    Result<void> Note(const Scope& scope, const LineageNote& note);

    Result<std::optional<LineageEntity>> Find(const Scope& scope, const LineageKey& key);
    /// kAlreadyExists.
    Result<void> Insert(const Scope& scope, const LineageEntity& entity);
    /// kNotFound.
    Result<void> Update(const Scope& scope, const LineageEntity& entity);
    /// With its edges. kNotFound; kConflict while it has edges, unless `with_edges`.
    Result<void> Delete(const Scope& scope, const LineageKey& key, bool with_edges);
    /// kNotFound.
    Result<void> DeleteEdge(const Scope& scope, const LineageKey& source, const LineageKey& destination);
    Result<std::vector<LineageEntity>> List(const LineageListQuery& query);

    /// Edges that begin (or end) at the entity, in the order of the other end.
    Result<std::vector<LineageEdge>> EdgesOf(const Scope& scope, const LineageKey& key, bool outgoing);
    /// All edges, oldest first, behind this one.
    Result<std::vector<LineageEdge>> Edges(const Scope& scope, const std::optional<LineageEdge>& after,
                                           std::size_t limit);

  private:
    Database& database_;
};

}  // namespace espalier::meta
