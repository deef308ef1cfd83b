#include "transform/object_transform.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "base/fs.h"
#include "data/recordio.h"
#include "data/text_blocks.h"
#include "transform/record_codec.h"

namespace espalier::transform {
namespace {

Error Refuse(std::string sentence) {
    return Error(ErrorCode::kInvalidArgument, std::move(sentence));
}

/// One payload with its place in the object.
struct Payload {
    std::uint64_t number = 0;
    std::uint64_t first_line = 1;  ///< or record
    data::TextBlock block;

    std::string_view text() const { return block.text.view(); }
};

std::vector<std::string_view> LinesOf(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        lines.push_back(line);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

bool IsBlank(std::string_view line) {
    return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

/// The model's reply to a text of rows, or why it has none.
Result<std::string> Ask(const TransformPlan& plan, const hosting::ServedModel& served, std::string_view text) {
    // JSON records reach the model as rows of CSV (record_codec.h).
    hosting::ContainerReply reply =
        hosting::Infer(served, plan.is_json() ? "text/csv" : plan.content_type, plan.accept, text);
    if (reply.status >= 300) return Refuse(fmt::format("({}) {}", reply.status, reply.body));
    return std::move(reply.body);
}

/// Transforms runs of lines; what a payload consists of when records matter.
class LineTransform {
  public:
    LineTransform(const TransformPlan& plan, const hosting::ServedModel& served) : plan_(plan), served_(served) {}

    Result<void> Append(std::span<const std::string_view> lines, std::string& output) const {
        if (!plan_.single_record) return AppendPayload(lines, output);
        for (std::size_t i = 0; i < lines.size(); ++i) TRY(AppendPayload(lines.subspan(i, 1), output));
        return {};
    }

  private:
    Result<void> AppendPayload(std::span<const std::string_view> lines, std::string& output) const {
        std::string payload;
        std::vector<std::size_t> rows_of_line(lines.size(), 0);
        for (std::size_t i = 0; i < lines.size(); ++i) {
            if (IsBlank(lines[i])) continue;
            if (plan_.has_record_work() || plan_.is_json()) {
                rows_of_line[i] = TRY(AppendModelInput(plan_, lines[i], payload));
            } else {
                payload += lines[i];
                payload += '\n';
            }
        }
        if (payload.empty()) return {};
        const std::string reply = TRY(Ask(plan_, served_, payload));
        if (plan_.has_record_work()) return AppendRecords(lines, rows_of_line, reply, output);
        AppendReply(reply, output);
        return {};
    }

    void AppendReply(std::string_view reply, std::string& output) const {
        output += reply;
        if (plan_.assemble_lines && !reply.ends_with('\n')) output += '\n';
    }

    /// Gives each record the lines of the reply that belong to it.
    Result<void> AppendRecords(std::span<const std::string_view> lines, std::span<const std::size_t> rows_of_line,
                               std::string_view reply, std::string& output) const {
        for (std::size_t i = 0; i < lines.size(); ++i) {
            if (rows_of_line[i] == 0) continue;
            std::size_t size = 0;
            for (std::size_t row = 0; row < rows_of_line[i]; ++row) {
                const std::size_t end = reply.find('\n', size);
                if (end == std::string_view::npos) return Refuse("the model answered fewer lines than it was asked");
                size = end + 1;
            }
            TRY(AppendOutput(plan_, lines[i], reply.substr(0, size - 1), output));
            output += '\n';
            reply.remove_prefix(size);
        }
        return {};
    }

    const TransformPlan& plan_;
    const hosting::ServedModel& served_;
};

/// The number, from 0, of the line with which a run of lines begins to fail: by halving, as a run that fails goes on
/// failing when lines follow.
std::size_t FirstBadLine(const LineTransform& transform, std::span<const std::string_view> lines) {
    std::size_t good = 0;
    std::size_t bad = lines.size();
    while (bad - good > 1) {
        const std::size_t middle = good + (bad - good) / 2;
        std::string ignored;
        if (transform.Append(lines.first(middle), ignored)) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    return bad - 1;
}

/// The payloads of one object, in order. Used by one thread at a time.
class PayloadReader {
  public:
    PayloadReader(const TransformPlan& plan, const ObjectTask& object)
        : plan_(plan), object_(object), files_(1), blocks_(files_), records_(files_[0]) {
        std::error_code error;
        files_[0] = {.path = object.input_path,
                     .name = object.name,
                     .size_bytes = std::filesystem::file_size(object.input_path, error),
                     .gzip = plan.gzip};
    }

    Result<bool> Next(Payload& payload) {
        if (!TRY(NextBlock(payload.block))) return false;
        payload.number = num_payloads_++;
        payload.first_line = next_line_;
        if (!plan_.split_lines && !plan_.split_records) TRY(TakeTheRest(payload.block));
        if (payload.block.text.size() > plan_.payload_bytes_max) return TooLarge(payload);
        const std::string_view text = payload.text();
        next_line_ += plan_.split_records ? data::SplitRecords(text).size()
                                          : static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
        num_bytes_ += text.size();
        return true;
    }
    std::uint64_t num_bytes() const { return num_bytes_; }
    std::uint64_t num_payloads() const { return num_payloads_; }

  private:
    Result<bool> NextBlock(data::TextBlock& block) {
        if (!plan_.split_records) return blocks_.Next(block);
        const bool more = TRY(records_.Next(block.bytes));
        const std::size_t size = block.bytes.size();
        block.bytes.resize(size + kernels::kTextPadding);
        block.text = {block.bytes.data(), block.bytes.data() + size};
        return more;
    }

    Error TooLarge(const Payload& payload) const {
        const std::string limit = fmt::format("{} MB (MaxPayloadInMB)", plan_.payload_bytes_max >> 20);
        if (plan_.split_records) {
            return Refuse(
                fmt::format("{}, record {}: the record is larger than {}.", object_.name, payload.first_line, limit));
        }
        if (!plan_.split_lines) {
            return Refuse(fmt::format("{}: the object is larger than {}. Give SplitType Line, or a larger limit.",
                                      object_.name, limit));
        }
        return Refuse(fmt::format("{}, line {}: the line is larger than {}.", object_.name, payload.first_line, limit));
    }

    /// Appends the blocks that follow, as far as a payload may be large.
    Result<void> TakeTheRest(data::TextBlock& block) {
        data::TextBlock more;
        while (block.text.size() <= plan_.payload_bytes_max && TRY(blocks_.Next(more))) {
            const auto front = static_cast<std::size_t>(block.text.begin - block.bytes.data());
            const std::size_t end = front + block.text.size();
            block.bytes.resize(end + more.text.size() + kernels::kTextPadding);
            std::copy(more.text.begin, more.text.end, block.bytes.begin() + static_cast<std::ptrdiff_t>(end));
            block.text = {block.bytes.data() + front, block.bytes.data() + end + more.text.size()};
        }
        return {};
    }

    const TransformPlan& plan_;
    const ObjectTask& object_;
    std::vector<data::DataFile> files_;
    data::TextBlockReader blocks_;
    data::RecordBlockReader records_;
    std::uint64_t num_payloads_ = 0;
    std::uint64_t num_bytes_ = 0;
    std::uint64_t next_line_ = 1;
};

/// Threads that take payloads in turn and write outputs in the payloads' order.
class ObjectRun {
  public:
    ObjectRun(const TransformPlan& plan, const hosting::ServedModel& served, const ObjectTask& object,
              const std::atomic<bool>& stop, ProgressMark& mark)
        : plan_(plan), served_(served), object_(object), stop_(stop), mark_(mark), reader_(plan, object) {}

    Result<ObjectReport> Run(int num_threads) {
        const std::string part_path = object_.output_path + ".part";
        // A run that was killed may have left one.
        Result<void> removed = fs_.Remove(part_path);
        if (!removed && removed.error().code() != ErrorCode::kNotFound) return std::move(removed).error();
        file_ = TRY(fs_.Create(part_path));
        {
            std::vector<std::jthread> threads;
            for (int i = 1; i < num_threads; ++i) threads.emplace_back([this] { Work(); });
            Work();
        }
        if (error_) return std::move(*error_);
        TRY(fs_.Rename(part_path, object_.output_path));
        return ObjectReport{
            .num_payloads = reader_.num_payloads(), .bytes_in = reader_.num_bytes(), .bytes_out = bytes_out_};
    }

  private:
    void Work() {
        Payload payload;
        while (true) {
            const std::optional<bool> more = TakePayload(payload);
            if (!more || !*more) return;
            auto output = TransformPayload(payload);
            if (!output) return Fail(std::move(output).error(), payload.number);
            if (!Write(payload.number, *output)) return;
        }
    }

    /// nullopt after an error.
    std::optional<bool> TakePayload(Payload& payload) {
        const std::lock_guard lock(mutex_);
        if (error_) return std::nullopt;
        if (stop_) {
            SetError(Error(ErrorCode::kCancelled, "the transform was stopped"), 0);
            return std::nullopt;
        }
        auto more = reader_.Next(payload);
        if (more) return *more;
        SetError(std::move(more).error(), reader_.num_payloads());
        return std::nullopt;
    }

    Result<std::string> TransformPayload(const Payload& payload) const {
        if (plan_.split_records) return TransformRecords(payload);
        if (!plan_.split_lines) return TransformWhole(payload.text());
        const bool lines_matter = plan_.single_record || plan_.has_record_work() || plan_.is_json();
        if (!lines_matter) {
            if (IsBlank(payload.text())) return std::string();
            auto reply = Ask(plan_, served_, payload.text());
            if (reply) return Assembled(std::move(*reply));
        }
        const std::vector<std::string_view> lines = LinesOf(payload.text());
        const LineTransform transform(plan_, served_);
        std::string output;
        Result<void> transformed = transform.Append(lines, output);
        if (transformed) return output;
        const std::size_t bad = FirstBadLine(transform, lines);
        std::string ignored;
        Result<void> again = transform.Append(std::span(lines).first(bad + 1), ignored);
        const Error& error = again ? transformed.error() : again.error();
        return Refuse(fmt::format("{}, line {}: {}", object_.name, payload.first_line + bad, error.ToString()));
    }

    /// Several records at once, or each alone; a payload that is refused is asked again record by record, to name the
    /// one.
    Result<std::string> TransformRecords(const Payload& payload) const {
        if (!plan_.single_record) {
            auto reply = Ask(plan_, served_, payload.text());
            if (reply) return Assembled(std::move(*reply));
        }
        std::string output;
        std::uint64_t number = payload.first_line;
        for (const std::string_view record : data::SplitRecords(payload.text())) {
            auto reply = Ask(plan_, served_, record);
            if (!reply) return Refuse(fmt::format("{}, record {}: {}", object_.name, number, reply.error().ToString()));
            output += Assembled(std::move(*reply));
            ++number;
        }
        return output;
    }

    std::string Assembled(std::string reply) const {
        if (plan_.assemble_lines && !reply.ends_with('\n')) reply += '\n';
        return reply;
    }

    /// The object is one payload, and one record if records are looked into.
    Result<std::string> TransformWhole(std::string_view text) const {
        std::string payload;
        const bool is_json = plan_.is_json();
        auto reply = [&]() -> Result<std::string> {
            if (is_json) TRY(AppendModelInput(plan_, text, payload));
            std::string answer = TRY(Ask(plan_, served_, is_json ? payload : text));
            if (!plan_.has_record_work()) return answer;
            std::string output;
            if (answer.ends_with('\n')) answer.pop_back();
            TRY(AppendOutput(plan_, text, answer, output));
            return output + '\n';
        }();
        if (!reply) return Refuse(fmt::format("{}: {}", object_.name, reply.error().ToString()));
        return reply;
    }

    /// Waits for its turn. False when another payload has failed.
    bool Write(std::uint64_t number, const std::string& output) {
        std::unique_lock lock(mutex_);
        turn_.wait(lock, [&] { return error_ || next_to_write_ == number; });
        if (error_) return false;
        Result<void> written = fs_.Append(file_, output);
        if (!written) SetError(std::move(written).error(), number);
        bytes_out_ += output.size();
        mark_.Move();
        ++next_to_write_;
        turn_.notify_all();
        return !error_;
    }

    void Fail(Error error, std::uint64_t number) {
        const std::lock_guard lock(mutex_);
        SetError(std::move(error), number);
    }

    /// mutex_ held. Of several failures the one that comes first in the object counts, so that the reason does not
    /// depend on the threads' pace.
    void SetError(Error error, std::uint64_t number) {
        if (!error_ || number < error_number_) {
            error_ = std::move(error);
            error_number_ = number;
        }
        turn_.notify_all();
    }

    const TransformPlan& plan_;
    const hosting::ServedModel& served_;
    const ObjectTask& object_;
    const std::atomic<bool>& stop_;
    ProgressMark& mark_;
    RealFs fs_;
    Fd file_;
    std::mutex mutex_;
    std::condition_variable turn_;
    PayloadReader reader_;  // guarded by mutex_, as is all below
    std::uint64_t next_to_write_ = 0;
    std::uint64_t bytes_out_ = 0;
    std::optional<Error> error_;
    std::uint64_t error_number_ = 0;
};

}  // namespace

Result<ObjectReport> TransformObject(const TransformPlan& plan, const hosting::ServedModel& served,
                                     const ObjectTask& object, int num_threads, const std::atomic<bool>& stop,
                                     ProgressMark& mark) {
    ObjectRun run(plan, served, object, stop, mark);
    return run.Run(num_threads);
}

}  // namespace espalier::transform
