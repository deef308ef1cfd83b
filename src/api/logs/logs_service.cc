#include "api/logs/logs_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "api/list_token.h"
#include "api/logs/filter_pattern.h"
#include "meta/arn.h"

namespace espalier::api::logs {
namespace {

using nlohmann::json;

constexpr std::uint32_t kStreamsPerCallMax = 50;
constexpr std::uint32_t kGroupsPerCallMax = 50;
constexpr std::size_t kEventOverheadBytes = 26;  // what CloudWatch counts for each event besides its text

WireError InvalidParameter(std::string message) {
    return {.type = "InvalidParameterException", .message = std::move(message)};
}

Outcome NotFound(std::string_view what) {
    return Outcome::Fail(
        {.type = "ResourceNotFoundException", .message = fmt::format("The specified {} does not exist.", what)});
}

/// Of a change that answers nothing; kNotFound speaks of `what`.
Outcome OutcomeOf(const Result<void>& changed, std::string_view what) {
    if (changed) return Outcome::Empty();
    return changed.error().code() == ErrorCode::kNotFound ? NotFound(what) : Outcome::Internal(changed.error(), what);
}

/// Reads typed members and remembers the first thing that is wrong with them.
class Reader {
  public:
    explicit Reader(const json& request) : request_(request) {}

    std::string Text(const char* name, bool required = false) {
        const json* value = Find(name, required);
        if (value == nullptr) return "";
        if (value->is_string()) return value->get<std::string>();
        Refuse({.type = "SerializationException", .message = fmt::format("{} must be a string.", name)});
        return "";
    }
    bool Flag(const char* name) {
        const json* value = Find(name);
        if (value == nullptr) return false;
        if (value->is_boolean()) return value->get<bool>();
        Refuse({.type = "SerializationException", .message = fmt::format("{} must be a boolean.", name)});
        return false;
    }
    std::optional<std::int64_t> Integer(const char* name, bool required = false) {
        const json* value = Find(name, required);
        if (value == nullptr) return std::nullopt;
        if (value->is_number_integer()) return value->get<std::int64_t>();
        Refuse({.type = "SerializationException", .message = fmt::format("{} must be an integer.", name)});
        return std::nullopt;
    }
    std::uint32_t Limit(std::uint32_t maximum, std::uint32_t fallback) {
        const std::optional<std::int64_t> limit = Integer("limit");
        if (!limit) return fallback;
        if (*limit >= 1 && *limit <= maximum) return static_cast<std::uint32_t>(*limit);
        Refuse(InvalidParameter(fmt::format(
            "1 validation error detected: Value '{}' at 'limit' failed to satisfy constraint: Member must have value "
            "{}",
            *limit, *limit < 1 ? "greater than or equal to 1" : fmt::format("less than or equal to {}", maximum))));
        return fallback;
    }
    std::vector<std::string> Texts(const char* name) {
        std::vector<std::string> texts;
        const json* value = Find(name);
        if (value == nullptr) return texts;
        if (!value->is_array())
            Refuse({.type = "SerializationException", .message = fmt::format("{} must be a list.", name)});
        for (const json& text : *value) {
            if (text.is_string())
                texts.push_back(text.get<std::string>());
            else
                Refuse({.type = "SerializationException", .message = fmt::format("{} must hold strings.", name)});
        }
        return texts;
    }
    void Refuse(WireError error) {
        if (!error_) error_ = std::move(error);
    }
    const std::optional<WireError>& error() const { return error_; }

  private:
    const json* Find(const char* name, bool required = false) {
        const auto found = request_.find(name);
        if (found != request_.end() && !found->is_null()) return &*found;
        if (required)
            Refuse(InvalidParameter(fmt::format(
                "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
                name)));
        return nullptr;
    }

    const json& request_;
    std::optional<WireError> error_;
};

std::string GroupArn(const meta::Scope& scope, const std::string& group) {
    return fmt::format("arn:{}:logs:{}:{}:log-group:{}", meta::PartitionOf(scope.region), scope.region, scope.account,
                       group);
}

/// The group's name, from logGroupName or logGroupIdentifier (a name or an ARN, with or without ":*").
std::string GroupName(Reader& reader) {
    std::string name = reader.Text("logGroupName");
    const std::string identifier = reader.Text("logGroupIdentifier");
    if (name.empty() && identifier.empty()) return reader.Text("logGroupName", /*required=*/true);
    if (!name.empty() && !identifier.empty()) {
        reader.Refuse(InvalidParameter("Give logGroupName or logGroupIdentifier, not both."));
    }
    if (!name.empty()) return name;
    constexpr std::string_view kMarker = ":log-group:";
    const std::size_t marker = identifier.find(kMarker);
    name = marker == std::string::npos ? identifier : identifier.substr(marker + kMarker.size());
    if (name.ends_with(":*")) name.resize(name.size() - 2);
    return name;
}

/// A place in a stream and the direction to read from it.
struct EventToken {
    bool forward = true;
    std::int64_t position = 0;
};

std::string ToText(const EventToken& token) {
    return fmt::format("{}/{:020}", token.forward ? 'f' : 'b', token.position);
}

std::optional<EventToken> ParseToken(const std::string& text) {
    if (text.size() != 22 || (text[0] != 'f' && text[0] != 'b') || text[1] != '/') return std::nullopt;
    EventToken token = {.forward = text[0] == 'f'};
    const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), token.position);
    if (error != std::errc() || end != text.data() + text.size() || token.position < 0) return std::nullopt;
    return token;
}

/// Keeps what fits into one answer: from the newest side when reading backwards. One event always fits.
void CutToSize(std::vector<meta::LogEvent>& events, bool from_newest) {
    std::size_t bytes = 0;
    std::size_t kept = 0;
    while (kept < events.size()) {
        const meta::LogEvent& event = from_newest ? events[events.size() - 1 - kept] : events[kept];
        bytes += event.message.size() + kEventOverheadBytes;
        if (bytes > kEventBytesPerCallMax && kept > 0) break;
        ++kept;
    }
    if (from_newest) {
        events.erase(events.begin(), events.end() - static_cast<std::ptrdiff_t>(kept));
    } else {
        events.resize(kept);
    }
}

/// Where a list goes on: nothing at its beginning; refuses a token that is none of this list.
std::optional<ListPlace> PlaceOf(Reader& reader, std::string_view operation, const json& request,
                                 const meta::Scope& scope) {
    const std::string token = reader.Text("nextToken");
    if (token.empty()) return std::nullopt;
    auto place = ReadListToken(token, operation, scope, request);
    if (!place) reader.Refuse(InvalidParameter("The specified nextToken is invalid."));
    return place;
}

/// A place among events as the row of a token: "<stream>/<position>".
std::string ToText(const meta::LogPlace& place) {
    return fmt::format("{}/{}", place.stream_id, place.position);
}

meta::LogPlace LogPlaceOf(const ListPlace& place) {
    const std::string_view row = place.row;
    const std::size_t slash = std::min(row.find('/'), row.size() - 1);
    return {.time = NumberOf(place.sort_value).value_or(0),
            .stream_id = NumberOf(row.substr(0, slash)).value_or(0),
            .position = NumberOf(row.substr(slash + 1)).value_or(0)};
}

/// The SDKs' log readers ask for the streams of one job and loop for ever on a token, which they never send back.
bool AreOfOneJob(const meta::LogStreamQuery& query) {
    return query.group.starts_with("/aws/sagemaker/") && query.name_prefix.ends_with('/');
}

json GroupJson(const meta::LogGroup& group, const meta::Scope& scope) {
    json entry = {{"logGroupName", group.name},
                  {"creationTime", group.created_at},
                  {"arn", GroupArn(scope, group.name) + ":*"},
                  {"logGroupArn", GroupArn(scope, group.name)},
                  {"metricFilterCount", 0},
                  {"storedBytes", 0}};
    if (group.retention_days > 0) entry["retentionInDays"] = group.retention_days;
    return entry;
}

json StreamJson(const meta::LogStream& stream, const meta::Scope& scope) {
    json entry = {{"logStreamName", stream.name},
                  {"creationTime", stream.created_at},
                  {"arn", fmt::format("{}:log-stream:{}", GroupArn(scope, stream.group), stream.name)},
                  {"storedBytes", 0}};
    if (stream.last_ingested_at != 0) {
        if (stream.first_event_at != 0) entry["firstEventTimestamp"] = stream.first_event_at;
        entry["lastEventTimestamp"] = stream.last_event_at;
        entry["lastIngestionTime"] = stream.last_ingested_at;
    }
    return entry;
}

/// What a PutLogEvents puts: events to keep, and which ones are not kept because of their times.
struct PutEvents {
    std::vector<meta::LogEvent> events;
    json rejected = json::object();
};

std::variant<PutEvents, WireError> ReadEvents(const json& list, const meta::LogGroup& group, UnixMillis now) {
    constexpr UnixMillis kTooOldMillis = UnixMillis{14} * 24 * 3'600'000;
    constexpr UnixMillis kTooNewMillis = 2 * 3'600'000;
    const std::optional<UnixMillis> oldest_kept = group.OldestKept(now);
    PutEvents put;
    UnixMillis before = INT64_MIN;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const json& item = list[i];
        const bool typed = item.is_object() && item.contains("timestamp") && item["timestamp"].is_number_integer() &&
                           item.contains("message") && item["message"].is_string() && !item["message"].empty();
        if (!typed) return InvalidParameter("Each of the logEvents needs a timestamp and a message.");
        const auto time = item["timestamp"].get<UnixMillis>();
        if (time < before)
            return InvalidParameter("Log events in a single PutLogEvents request must be in chronological order.");
        before = time;
        if (time < now - kTooOldMillis) {
            put.rejected["tooOldLogEventEndIndex"] = i + 1;
        } else if (oldest_kept && time < *oldest_kept) {
            put.rejected["expiredLogEventEndIndex"] = i + 1;
        } else if (time > now + kTooNewMillis) {
            put.rejected.emplace("tooNewLogEventStartIndex", i);
        } else {
            put.events.push_back(
                {.position = 0, .time = time, .ingested_at = now, .message = item["message"].get<std::string>()});
        }
    }
    return put;
}

std::optional<UnixMillis> LaterOf(const std::optional<UnixMillis>& a, const std::optional<UnixMillis>& b) {
    return a && b ? std::max(a, b) : (a ? a : b);
}

}  // namespace

void LogsService::Handle(std::shared_ptr<http::Exchange> exchange, Principal principal, std::string) {
    const auto reply = [&](const Outcome& outcome) { SendOutcome(*exchange, kLogsProtocol, outcome); };
    const auto parsed = ParseJsonBody(exchange->body());
    if (const WireError* error = std::get_if<WireError>(&parsed)) return reply(Outcome::Fail(*error));
    reply(Answer(OperationOf(exchange->head(), kLogsProtocol), std::get<json>(parsed),
                 {.account = principal.account_id, .region = principal.region}));
}

Outcome LogsService::Answer(std::string_view operation, const json& request, const meta::Scope& scope) {
    using Operation = Outcome (LogsService::*)(const json&, const meta::Scope&);
    static constexpr std::pair<std::string_view, Operation> kOperations[] = {
        {"CreateLogGroup", &LogsService::CreateLogGroup},
        {"CreateLogStream", &LogsService::CreateLogStream},
        {"DeleteLogGroup", &LogsService::DeleteLogGroup},
        {"DeleteLogStream", &LogsService::DeleteLogStream},
        {"DeleteRetentionPolicy", &LogsService::DeleteRetentionPolicy},
        {"DescribeLogGroups", &LogsService::DescribeLogGroups},
        {"DescribeLogStreams", &LogsService::DescribeLogStreams},
        {"FilterLogEvents", &LogsService::FilterLogEvents},
        {"GetLogEvents", &LogsService::GetLogEvents},
        {"PutLogEvents", &LogsService::PutLogEvents},
        {"PutRetentionPolicy", &LogsService::PutRetentionPolicy},
    };
    std::vector<std::string_view> names;
    for (const auto& [name, function] : kOperations) {
        if (name == operation) return (this->*function)(request, scope);
        names.push_back(name);
    }
    return Outcome::Fail({.type = "UnknownOperationException",
                          .message = fmt::format("The requested operation is not supported: {}. This server has {}.",
                                                 operation, fmt::join(names, ", "))});
}

std::variant<meta::LogGroup, Outcome> LogsService::FindGroup(const meta::Scope& scope, const std::string& name) {
    auto found = groups_.Find(scope, name);
    if (!found) return Outcome::Internal(found.error(), "the log group");
    if (!*found) return NotFound("log group");
    return **std::move(found);
}

Outcome LogsService::DescribeLogGroups(const json& request, const meta::Scope& scope) {
    Reader reader(request);
    const std::string prefix = reader.Text("logGroupNamePrefix");
    const auto place = PlaceOf(reader, "DescribeLogGroups", request, scope);
    const std::uint32_t limit = reader.Limit(kGroupsPerCallMax, kGroupsPerCallMax);
    for (const char* member : {"logGroupNamePattern", "logGroupIdentifiers", "accountIdentifiers"})
        if (request.contains(member) && !request[member].empty())
            reader.Refuse(InvalidParameter(fmt::format("{} is not supported. Use logGroupNamePrefix.", member)));
    if (reader.error()) return Outcome::Fail(*reader.error());
    auto groups = groups_.List(scope, prefix, place ? place->row : "", limit + 1);
    if (!groups) return Outcome::Internal(groups.error(), "DescribeLogGroups");
    const bool more = groups->size() > limit;
    if (more) groups->resize(limit);
    json answer = {{"logGroups", json::array()}};
    for (const meta::LogGroup& group : *groups) answer["logGroups"].push_back(GroupJson(group, scope));
    if (more)
        answer["nextToken"] =
            MakeListToken("DescribeLogGroups", scope, request, {.sort_value = "", .row = groups->back().name});
    return Outcome::Ok(answer);
}

Outcome LogsService::DescribeLogStreams(const json& request, const meta::Scope& scope) {
    Reader reader(request);
    meta::LogStreamQuery query;
    query.scope = scope;
    query.group = GroupName(reader);
    query.name_prefix = reader.Text("logStreamNamePrefix");
    const std::string order = reader.Text("orderBy");
    query.by_last_event = order == "LastEventTime";
    query.descending = reader.Flag("descending");
    const std::uint32_t limit = reader.Limit(kStreamsPerCallMax, kStreamsPerCallMax);
    const auto place = PlaceOf(reader, "DescribeLogStreams", request, scope);
    if (!order.empty() && order != "LogStreamName" && order != "LastEventTime") {
        reader.Refuse(InvalidParameter(fmt::format(
            "1 validation error detected: Value '{}' at 'orderBy' failed to satisfy constraint: Member must "
            "satisfy enum value set: [LogStreamName, LastEventTime]",
            order)));
    }
    if (query.by_last_event && !query.name_prefix.empty()) {
        reader.Refuse(InvalidParameter("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    if (reader.error()) return Outcome::Fail(*reader.error());
    if (place) query.after = {.last_event_at = NumberOf(place->sort_value).value_or(0), .name = place->row};
    query.limit = limit + 1;
    const auto group = FindGroup(scope, query.group);
    if (const auto* failed = std::get_if<Outcome>(&group)) return *failed;
    auto streams = logs_.Streams(query);
    if (!streams) return Outcome::Internal(streams.error(), "DescribeLogStreams");
    const bool more = streams->size() > limit;
    if (more) streams->resize(limit);
    json answer = {{"logStreams", json::array()}};
    for (const meta::LogStream& stream : *streams) answer["logStreams"].push_back(StreamJson(stream, scope));
    if (more && !AreOfOneJob(query)) {
        const meta::LogStream& last = streams->back();
        answer["nextToken"] = MakeListToken("DescribeLogStreams", scope, request,
                                            {.sort_value = std::to_string(last.last_event_at), .row = last.name});
    }
    return Outcome::Ok(answer);
}

Outcome LogsService::GetLogEvents(const json& request, const meta::Scope& scope) {
    Reader reader(request);
    const std::string group = GroupName(reader);
    const std::string name = reader.Text("logStreamName", /*required=*/true);
    meta::LogEventQuery query;
    query.start_time = reader.Integer("startTime");
    query.end_time = reader.Integer("endTime");
    query.limit = reader.Limit(kEventsPerCallMax, kEventsPerCallMax);
    const bool from_head = reader.Flag("startFromHead");
    const std::string token_text = reader.Text("nextToken");
    std::optional<EventToken> token;
    if (!token_text.empty()) {
        token = ParseToken(token_text);
        if (!token) reader.Refuse(InvalidParameter("The specified nextToken is invalid."));
    }
    if (reader.error()) return Outcome::Fail(*reader.error());
    const auto found = FindGroup(scope, group);
    if (const auto* failed = std::get_if<Outcome>(&found)) return *failed;
    query.start_time = LaterOf(query.start_time, std::get<meta::LogGroup>(found).OldestKept(clock_.WallMillis()));
    auto stream = logs_.FindStream(scope, group, name);
    if (!stream && stream.error().code() == ErrorCode::kNotFound) return NotFound("log stream");
    if (!stream) return Outcome::Internal(stream.error(), "GetLogEvents");
    query.stream_id = stream->id;
    query.newest_first = token ? !token->forward : !from_head;
    if (token) (token->forward ? query.from : query.before) = token->position;
    auto events = logs_.Events(query);
    if (!events) return Outcome::Internal(events.error(), "GetLogEvents");
    CutToSize(*events, query.newest_first);

    // Without events a token stays where it was, and a first look stands where it would have begun to read.
    const std::int64_t nothing_read = token ? token->position : (from_head ? 0 : stream->end_position);
    const std::int64_t first = events->empty() ? nothing_read : events->front().position;
    const std::int64_t behind = events->empty() ? nothing_read : events->back().position + 1;
    json answer = {{"events", json::array()},
                   {"nextForwardToken", ToText({.forward = true, .position = behind})},
                   {"nextBackwardToken", ToText({.forward = false, .position = first})}};
    for (const meta::LogEvent& event : *events) {
        answer["events"].push_back(
            {{"timestamp", event.time}, {"message", event.message}, {"ingestionTime", event.ingested_at}});
    }
    return Outcome::Ok(answer);
}

Outcome LogsService::FilterLogEvents(const json& request, const meta::Scope& scope) {
    // Events looked at in one call: a page without a match says where to go on, as CloudWatch does.
    constexpr std::uint32_t kLookedAtMax = 20'000;
    Reader reader(request);
    meta::LogSearchQuery query{.scope = scope,
                               .group = GroupName(reader),
                               .streams = reader.Texts("logStreamNames"),
                               .stream_prefix = reader.Text("logStreamNamePrefix"),
                               .start_time = reader.Integer("startTime"),
                               .end_time = reader.Integer("endTime"),
                               .after = std::nullopt,
                               .limit = kLookedAtMax};
    const std::uint32_t limit = reader.Limit(kEventsPerCallMax, kEventsPerCallMax);
    Result<FilterPattern> pattern = FilterPattern::Parse(reader.Text("filterPattern"));
    if (!pattern) reader.Refuse(InvalidParameter(pattern.error().message()));
    if (!query.streams.empty() && !query.stream_prefix.empty())
        reader.Refuse(InvalidParameter("Give logStreamNames or logStreamNamePrefix, not both."));
    if (const auto place = PlaceOf(reader, "FilterLogEvents", request, scope)) query.after = LogPlaceOf(*place);
    if (reader.error()) return Outcome::Fail(*reader.error());
    const auto group = FindGroup(scope, query.group);
    if (const auto* failed = std::get_if<Outcome>(&group)) return *failed;
    query.start_time = LaterOf(query.start_time, std::get<meta::LogGroup>(group).OldestKept(clock_.WallMillis()));
    auto found = search_.Find(query);
    if (!found) return Outcome::Internal(found.error(), "FilterLogEvents");
    json answer = {{"events", json::array()}, {"searchedLogStreams", json::array()}};
    std::size_t bytes = 0;
    std::optional<meta::LogPlace> next = found->next;
    meta::LogPlace last;
    for (const meta::FoundLogEvent& each : found->events) {
        if (answer["events"].size() >= limit || bytes > kEventBytesPerCallMax) {
            next = last;
            break;
        }
        last = {.time = each.event.time, .stream_id = each.stream_id, .position = each.event.position};
        if (!pattern->Matches(each.event.message)) continue;
        bytes += each.event.message.size() + kEventOverheadBytes;
        answer["events"].push_back(
            {{"logStreamName", each.stream},
             {"timestamp", each.event.time},
             {"message", each.event.message},
             {"ingestionTime", each.event.ingested_at},
             {"eventId", fmt::format("{:020}{:018}{:018}", each.event.time, each.stream_id, each.event.position)}});
    }
    if (next) {
        answer["nextToken"] = MakeListToken("FilterLogEvents", scope, request,
                                            {.sort_value = std::to_string(next->time), .row = ToText(*next)});
    }
    return Outcome::Ok(answer);
}

Outcome LogsService::PutLogEvents(const json& request, const meta::Scope& scope) {
    Reader reader(request);
    const std::string group = GroupName(reader);
    const std::string name = reader.Text("logStreamName", /*required=*/true);
    const json list = request.value("logEvents", json::array());
    if (!list.is_array() || list.empty() || list.size() > kEventsPerCallMax)
        reader.Refuse(InvalidParameter(fmt::format("logEvents must be 1 to {} events.", kEventsPerCallMax)));
    if (reader.error()) return Outcome::Fail(*reader.error());
    const auto found = FindGroup(scope, group);
    if (const auto* failed = std::get_if<Outcome>(&found)) return *failed;
    auto stream = logs_.FindStream(scope, group, name);
    if (!stream && stream.error().code() == ErrorCode::kNotFound) return NotFound("log stream");
    if (!stream) return Outcome::Internal(stream.error(), "PutLogEvents");
    const auto read = ReadEvents(list, std::get<meta::LogGroup>(found), clock_.WallMillis());
    if (const auto* error = std::get_if<WireError>(&read)) return Outcome::Fail(*error);
    const auto& [events, rejected] = std::get<PutEvents>(read);
    if (const Result<void> appended = logs_.Append(stream->id, events); !appended)
        return OutcomeOf(appended, "log stream");
    json answer = json::object();
    if (!rejected.empty()) answer["rejectedLogEventsInfo"] = rejected;
    return Outcome::Ok(answer);
}

Outcome LogsService::CreateLogGroup(const json& request, const meta::Scope& scope) {
    Reader reader(request);
    const std::string group = reader.Text("logGroupName", /*required=*/true);
    for (const char* member : {"kmsKeyId", "tags", "logGroupClass", "deletionProtectionEnabled"})
        if (request.contains(member) && request[member] != "STANDARD" && request[member] != false)
            reader.Refuse(InvalidParameter(fmt::format("{} is not supported.", member)));
    constexpr std::size_t kNameBytesMax = 512;
    constexpr const char* kNameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/.#";
    if (group.size() > kNameBytesMax || group.find_first_not_of(kNameCharacters) != std::string::npos)
        reader.Refuse(InvalidParameter("logGroupName must be up to 512 letters, digits and _ - / . #"));
    if (reader.error()) return Outcome::Fail(*reader.error());
    Result<void> made = groups_.Create(scope, group, clock_.WallMillis());
    if (made) return Outcome::Empty();
    if (made.error().code() == ErrorCode::kAlreadyExists)
        return Outcome::Fail({.type = "ResourceAlreadyExistsException", .message = made.error().message()});
    return Outcome::Internal(made.error(), "CreateLogGroup");
}

Outcome LogsService::CreateLogStream(const json& request, const meta::Scope& scope) {
    Reader reader(request);
    const std::string group = reader.Text("logGroupName", /*required=*/true);
    const std::string name = reader.Text("logStreamName", /*required=*/true);
    if (name.size() > 512 || name.find_first_of(":*") != std::string::npos)
        reader.Refuse(InvalidParameter("logStreamName must be up to 512 characters without : and *"));
    if (reader.error()) return Outcome::Fail(*reader.error());
    const auto found = FindGroup(scope, group);
    if (const auto* failed = std::get_if<Outcome>(&found)) return *failed;
    if (logs_.FindStream(scope, group, name))
        return Outcome::Fail(
            {.type = "ResourceAlreadyExistsException", .message = "The specified log stream already exists"});
    auto made = logs_.OpenStream(scope, group, name, clock_.WallMillis());
    return made ? Outcome::Empty() : Outcome::Internal(made.error(), "CreateLogStream");
}

Outcome LogsService::DeleteLogGroup(const json& request, const meta::Scope& scope) {
    Reader reader(request);
    const std::string group = reader.Text("logGroupName", /*required=*/true);
    if (reader.error()) return Outcome::Fail(*reader.error());
    return OutcomeOf(groups_.Delete(scope, group), "log group");
}

Outcome LogsService::DeleteLogStream(const json& request, const meta::Scope& scope) {
    Reader reader(request);
    const std::string group = reader.Text("logGroupName", /*required=*/true);
    const std::string name = reader.Text("logStreamName", /*required=*/true);
    if (reader.error()) return Outcome::Fail(*reader.error());
    const auto found = FindGroup(scope, group);
    if (const auto* failed = std::get_if<Outcome>(&found)) return *failed;
    return OutcomeOf(groups_.DeleteStream(scope, group, name), "log stream");
}

Outcome LogsService::PutRetentionPolicy(const json& request, const meta::Scope& scope) {
    constexpr std::int64_t kDays[] = {1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
                                      365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};
    Reader reader(request);
    const std::string group = reader.Text("logGroupName", /*required=*/true);
    const std::optional<std::int64_t> days = reader.Integer("retentionInDays", /*required=*/true);
    if (days && std::ranges::find(kDays, *days) == std::end(kDays))
        reader.Refuse(InvalidParameter(fmt::format(
            "1 validation error detected: Value '{}' at 'retentionInDays' failed to satisfy constraint: Member must "
            "satisfy enum value set: [{}]",
            *days, fmt::join(kDays, ", "))));
    if (reader.error()) return Outcome::Fail(*reader.error());
    return OutcomeOf(groups_.SetRetention(scope, group, *days), "log group");
}

Outcome LogsService::DeleteRetentionPolicy(const json& request, const meta::Scope& scope) {
    constexpr std::int64_t kForEver = 0;
    Reader reader(request);
    const std::string group = reader.Text("logGroupName", /*required=*/true);
    if (reader.error()) return Outcome::Fail(*reader.error());
    return OutcomeOf(groups_.SetRetention(scope, group, kForEver), "log group");
}

}  // namespace espalier::api::logs
