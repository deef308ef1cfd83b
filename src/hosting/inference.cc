#include "hosting/inference.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/version_profile.h"
#include "data/content_type.h"
#include "data/csv.h"
#include "data/libsvm.h"
#include "data/recordio.h"
#include "hosting/number_text.h"
#include "hosting/reply_format.h"
#include "hosting/selectable_inference.h"
#include "model/row_outputs.h"

namespace espalier::hosting {
namespace {

// A buffer that grew beyond this for one large payload is given back after it: 100 rows of the notebook have 78,400
// entries, and every thread of the server may keep one.
constexpr std::size_t kKeptEntriesMax = 512 << 10;

constexpr std::string_view kErrorType = "text/html; charset=utf-8";

ContainerReply Fail(int status, std::string message) {
    return {.status = status, .content_type = kErrorType, .body = std::move(message)};
}

/// One row's values as older images write them: `7.0`, or `[0.1, 0.9]` when there are several.
template <typename AppendNumber>
void AppendPythonValue(std::string& out, std::span<const float> values, AppendNumber&& append) {
    if (values.size() == 1) return append(out, values[0]);
    out += '[';
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (i > 0) out += ", ";
        append(out, values[i]);
    }
    out += ']';
}

/// Without a form: a line for each row in a batch transform, else all rows on one line.
void AppendRow(std::string& out, const ServedModel& served, std::optional<ReplyForm> form,
               std::span<const float> values, bool is_first) {
    if (!form) {
        if (!is_first && !served.is_batch) out += ',';
        AppendPythonValue(out, values, AppendPythonFloat);
        if (served.is_batch) out += '\n';
        return;
    }
    if (*form == ReplyForm::kCsv) {
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (i > 0) out += ',';
            AppendPythonFloat(out, values[i]);
        }
        out += '\n';
        return;
    }
    if (*form == ReplyForm::kJson && !is_first) out += ", ";
    out += "{\"score\": ";
    AppendPythonValue(out, values, AppendPythonJsonFloat);
    out += '}';
}

/// Plain predictions. Without a form: as images up to 1.2-1 and batch transforms answer, whatever Accept says.
ContainerReply Encode(const ServedModel& served, std::span<const float> predictions, std::size_t per_row,
                      std::optional<ReplyForm> form, Slice slice) {
    // A class takes 4 characters with its separator, a probability about 20.
    constexpr std::size_t kTypicalNumberBytes = 20;
    ContainerReply reply{.status = 200, .content_type = ContentTypeOf(form.value_or(ReplyForm::kCsv)), .body = {}};
    reply.body.reserve(predictions.size() * (per_row == 1 ? kTypicalNumberBytes / 2 : kTypicalNumberBytes));
    if (form == ReplyForm::kJson && slice.is_first) reply.body += "{\"predictions\": [";
    for (std::size_t begin = 0; begin < predictions.size(); begin += per_row)
        AppendRow(reply.body, served, form, predictions.subspan(begin, per_row), begin == 0 && slice.is_first);
    if (form == ReplyForm::kJson && slice.is_last) reply.body += "]}";
    return reply;
}

ContainerReply EncodeSelected(const ServedModel& served, std::span<const float> predictions, std::size_t per_row,
                              ReplyForm form, Slice slice) {
    const model::TreeEnsemble& ensemble = served.model->predictors[0]->ensemble();
    if (Result<void> checked = CheckSelectable(ensemble.objective); !checked)
        return Fail(500, checked.error().message());
    RecordReply reply(form, slice);
    for (std::size_t begin = 0; begin < predictions.size(); begin += per_row) {
        reply.Add(SelectFields(served.selected_keys, ensemble.objective, static_cast<std::size_t>(ensemble.num_class),
                               predictions.subspan(begin, per_row)));
    }
    std::string body = reply.Take();
    if (served.is_batch && slice.is_last && form == ReplyForm::kCsv) body += '\n';
    return {.status = 200, .content_type = ContentTypeOf(form), .body = std::move(body)};
}

ContainerReply EncodeOutput(const ServedModel& served, const model::RowOutputs& outputs, std::span<const float> values,
                            const AcceptedReply& accepted, Slice slice) {
    std::size_t per_row = outputs.per_row();
    if (accepted.form == ReplyForm::kCsv) return Encode(served, values, per_row, accepted.form, slice);
    RecordReply reply(accepted.form, slice);
    for (std::size_t begin = 0; begin < values.size(); begin += per_row) {
        std::span<const float> row = values.subspan(begin, per_row);
        reply.Add(std::vector<ReplyField>{{accepted.output, {row.begin(), row.end()}, per_row > 1}});
    }
    return {.status = 200, .content_type = ContentTypeOf(accepted.form), .body = reply.Take()};
}

/// The models that answer.
std::span<const std::shared_ptr<const model::Predictor>> Answering(const ServedModel& served) {
    std::span<const std::shared_ptr<const model::Predictor>> all = served.model->predictors;
    return served.whole_ensemble ? all : all.first(1);
}

/// One answer of several [models x values]: the mean, or the value that most give, the least of equally many.
std::vector<float> Combine(const std::vector<std::vector<float>>& answers, bool by_majority) {
    std::vector<float> combined(answers[0].size());
    std::vector<float> votes(answers.size());
    for (std::size_t i = 0; i < combined.size(); ++i) {
        float sum = 0;
        for (std::size_t each = 0; each < answers.size(); ++each) sum += votes[each] = answers[each][i];
        combined[i] = sum / static_cast<float>(answers.size());
        if (!by_majority) continue;
        std::sort(votes.begin(), votes.end());
        std::ptrdiff_t most = 0;
        for (float vote : votes) {
            std::ptrdiff_t count = std::count(votes.begin(), votes.end(), vote);
            if (count > most) combined[i] = vote;
            most = std::max(most, count);
        }
    }
    return combined;
}

std::vector<float> PredictAll(const ServedModel& served, const data::FeatureRows& rows) {
    auto models = Answering(served);
    if (models.size() == 1) return models[0]->Predict(rows);
    std::vector<std::vector<float>> answers;
    for (const auto& each : models) answers.push_back(each->Predict(rows));
    const std::string& objective = models[0]->ensemble().objective;
    return Combine(answers, objective == "multi:softmax" || objective == "binary:hinge");
}

/// `output=NAME` of the Accept header.
ContainerReply InferOutput(const ServedModel& served, const data::FeatureRows& rows, const AcceptedReply& accepted,
                           Slice slice) {
    auto models = Answering(served);
    std::vector<std::vector<float>> answers(models.size());
    Result<model::RowOutputs> outputs = model::RowOutputs::Create(models[0], accepted.output);
    for (std::size_t each = 0; each < models.size() && outputs; ++each) {
        outputs = model::RowOutputs::Create(models[each], accepted.output);
        if (!outputs) break;
        if (models.size() > 1 && outputs->output() == model::Output::kLeaf)
            return Fail(406, "Accept parameter output=leaf: several models have no leaf in common.");
        if (Result<void> done = outputs->Compute(rows, answers[each]); !done)
            return Fail(400, fmt::format("Unable to evaluate payload provided: {}", done.error().message()));
    }
    if (!outputs) return Fail(406, fmt::format("Accept parameter output: {}", outputs.error().message()));
    std::vector<float> values =
        models.size() == 1 ? std::move(answers[0]) : Combine(answers, outputs->output() == model::Output::kLabel);
    return EncodeOutput(served, *outputs, values, accepted, slice);
}

bool IsRecordIo(std::string_view content_type) {
    constexpr std::string_view kType = "application/x-recordio-protobuf";
    return content_type.substr(0, content_type.find(';')) == kType;
}

/// Empty, or why the image would not predict from so many columns (contracts/xgboost.md 6.4).
std::string ColumnIssue(const LoadedModel& loaded, std::string_view format, std::size_t columns) {
    const std::size_t known = loaded.predictors[0]->ensemble().num_feature;
    if (!loaded.pickled) {
        if (columns <= known) return {};
        return fmt::format(
            "Number of columns does not match number of features in booster. The payload has {} columns, "
            "the model was trained on {}.",
            columns, known);
    }
    if (format == "libsvm") {
        if (columns <= known + 1) return {};
        return fmt::format("Feature size of libsvm inference data {} is larger than feature size of trained model {}.",
                           columns, known);
    }
    if (columns == known || columns + 1 == known) return {};
    return fmt::format("Feature size of {} inference data {} is not consistent with feature size of trained model {}.",
                       format, columns, known);
}

bool IsBlank(std::string_view body) {
    return body.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

/// Empty, or the answer to a payload that cannot be read.
std::optional<ContainerReply> ReadPayload(std::string_view content_type, std::string_view body, data::LabeledRows& rows,
                                          std::string_view& format) {
    Result<void> parsed;
    if (IsRecordIo(content_type)) {
        format = "recordio-protobuf";
        parsed = data::ParseRecordIoRequest(body, rows);
        if (parsed) return std::nullopt;
        return Fail(415,
                    fmt::format("Loading {} data failed with Exception, please ensure data is in {} format: <class "
                                "'ValueError'> {}",
                                format, format, parsed.error().message()));
    }
    Result<data::InputFormat> found = data::ParseRequestContentType(content_type);
    if (!found) return Fail(415, found.error().message());
    format = data::ToString(*found);
    parsed = *found == data::InputFormat::kCsv ? data::ParseCsvRequest(body, rows.rows)
                                               : data::ParseLibsvmRequest(body, rows.rows);
    if (parsed) return std::nullopt;
    return Fail(415, fmt::format("Loading {} data failed with Exception, please ensure data is in {} format:\n "
                                 "<class 'ValueError'>\n {}",
                                 format, format, parsed.error().message()));
}

/// Plain predictions of a multi-model container.
ContainerReply InferMultiModel(const ServedModel& served, const data::FeatureRows& rows, std::string_view accept,
                               const Result<AcceptedReply>& accepted, Slice slice) {
    const std::vector<float> predictions = PredictAll(served, rows);
    const std::size_t per_row = served.model->predictors[0]->outputs_per_row();
    if (accepted && accepted->form == ReplyForm::kCsv) return Encode(served, predictions, per_row, std::nullopt, slice);
    if (!accepted || accepted->form != ReplyForm::kJson)
        return Fail(415, fmt::format("Encoding to accept type {} failed with exception: {} is not an accepted Accept "
                                     "type. Please choose one of the following: ['text/csv', 'application/json'].",
                                     accept, accept));
    std::string body = slice.is_first ? "[" : "";
    for (std::size_t begin = 0; begin < predictions.size(); begin += per_row) {
        if (begin > 0 || !slice.is_first) body += ", ";
        AppendPythonValue(body, std::span<const float>(predictions).subspan(begin, per_row), AppendPythonJsonFloat);
    }
    if (slice.is_last) body += ']';
    return {.status = 200, .content_type = ContentTypeOf(ReplyForm::kJson), .body = std::move(body)};
}

/// The payload's rows, or the answer to one that has none to predict from.
std::optional<ContainerReply> ReadRows(const ServedModel& served, std::string_view content_type, std::string_view body,
                                       data::LabeledRows& rows) {
    if (served.content_bytes_max != 0 && body.size() > served.content_bytes_max) {
        return Fail(413, fmt::format("The data value transmitted exceeds the capacity limit: {} bytes, at most {} "
                                     "(MAX_CONTENT_LENGTH of the model)",
                                     body.size(), served.content_bytes_max));
    }
    if (body.empty()) return ContainerReply{.status = 204, .content_type = "", .body = {}};
    if (IsBlank(body)) return Fail(415, "The payload holds only blanks: there is no row to predict.");
    std::string_view format;
    if (std::optional<ContainerReply> refused = ReadPayload(content_type, body, rows, format)) return refused;
    if (std::string issue = ColumnIssue(*served.model, format, rows.rows.num_features); !issue.empty())
        return Fail(400, fmt::format("Unable to evaluate payload provided: {}", issue));
    return std::nullopt;
}

/// Whether the container looks at Accept. Older images do not at all; only the parameter of ours counts there.
bool HasForms(const ServedModel& served) {
    return served.multi_model || (ProfileOf(served.version).looks_at_accept && !served.is_batch) ||
           !served.selected_keys.empty();
}

ContainerReply AnswerRows(const data::FeatureRows& rows, const ServedModel& served, std::string_view accept,
                          Slice slice) {
    const bool forms = HasForms(served);
    if (!forms && accept.find("output") == std::string_view::npos)
        return Encode(served, PredictAll(served, rows), served.model->predictors[0]->outputs_per_row(), std::nullopt,
                      slice);
    Result<AcceptedReply> accepted = ParseAccept(accept, served.default_accept);
    if (accepted && !accepted->output.empty()) return InferOutput(served, rows, *accepted, slice);
    if (served.multi_model) return InferMultiModel(served, rows, accept, accepted, slice);
    const std::vector<float> predictions = PredictAll(served, rows);
    const std::size_t per_row = served.model->predictors[0]->outputs_per_row();
    if (!forms) return Encode(served, predictions, per_row, std::nullopt, slice);
    if (!accepted) return Fail(406, accepted.error().message());
    if (!served.selected_keys.empty()) return EncodeSelected(served, predictions, per_row, accepted->form, slice);
    if (accepted->form == ReplyForm::kRecordIo || accepted->form == ReplyForm::kJsonLines) {
        return Fail(500, fmt::format("Accept type {} cannot be produced without selectable inference: set "
                                     "SAGEMAKER_INFERENCE_OUTPUT in the model's environment, or ask for output=NAME.",
                                     ContentTypeOf(accepted->form)));
    }
    return Encode(served, predictions, per_row, accepted->form, slice);
}

/// Rows [begin, begin + count) of `rows`, in the memory of `slice`.
void CopyRows(const data::FeatureRows& rows, std::size_t begin, std::size_t count, data::FeatureRows& slice) {
    const std::uint64_t first = rows.row_offsets[begin];
    const auto from = static_cast<std::ptrdiff_t>(first);
    const auto to = static_cast<std::ptrdiff_t>(rows.row_offsets[begin + count]);
    slice.Clear();
    for (std::size_t row = begin; row < begin + count; ++row)
        slice.row_offsets.push_back(rows.row_offsets[row + 1] - first);
    slice.feature_idx.assign(rows.feature_idx.begin() + from, rows.feature_idx.begin() + to);
    slice.values.assign(rows.values.begin() + from, rows.values.begin() + to);
    slice.num_features = rows.num_features;
    slice.feature_types = rows.feature_types;
}

}  // namespace

ContainerReply Infer(const ServedModel& served, std::string_view content_type, std::string_view accept,
                     std::string_view body) {
    thread_local data::LabeledRows rows;
    std::optional<ContainerReply> refused = ReadRows(served, content_type, body, rows);
    ContainerReply reply = refused ? *std::move(refused) : AnswerRows(rows.rows, served, accept, {});
    if (rows.rows.values.capacity() > kKeptEntriesMax || rows.rows.row_offsets.capacity() > kKeptEntriesMax)
        rows = data::LabeledRows();
    return reply;
}

SlicedInference::SlicedInference(const ServedModel& served, std::string_view content_type, std::string_view accept,
                                 std::string_view body)
    : served_(served), accept_(accept), refused_(ReadRows(served, content_type, body, rows_)) {
    if (!refused_) slice_rows_ = SliceRows();
}

/// How many rows have about kSliceValuesMax values together.
std::size_t SlicedInference::SliceRows() const {
    const std::shared_ptr<const model::Predictor>& predictor = served_.model->predictors[0];
    std::size_t per_row = predictor->outputs_per_row();
    const Result<AcceptedReply> accepted = ParseAccept(accept_, served_.default_accept);
    if (accepted && !accepted->output.empty()) {
        const auto outputs = model::RowOutputs::Create(predictor, accepted->output);
        if (outputs) per_row = outputs->per_row();
    }
    return std::clamp<std::size_t>(kSliceValuesMax / per_row, 1, kSliceRowsMax);
}

ContainerReply SlicedInference::Next() {
    done_ = true;
    if (refused_) return *std::exchange(refused_, std::nullopt);
    const std::size_t num_rows = rows_.rows.num_rows();
    const std::size_t count = std::min(slice_rows_, num_rows - num_answered_);
    const Slice slice{.is_first = num_answered_ == 0, .is_last = num_answered_ + count == num_rows};
    if (slice.is_first && slice.is_last) return AnswerRows(rows_.rows, served_, accept_, slice);
    CopyRows(rows_.rows, num_answered_, count, slice_);
    num_answered_ += count;
    ContainerReply reply = AnswerRows(slice_, served_, accept_, slice);
    done_ = slice.is_last || reply.status >= 300;
    return reply;
}

std::optional<RowMargins> Margins(const ServedModel& served, std::string_view content_type, std::string_view body) {
    data::LabeledRows rows;
    std::string_view format;
    if (IsBlank(body) || ReadPayload(content_type, body, rows, format)) return std::nullopt;
    if (!ColumnIssue(*served.model, format, rows.rows.num_features).empty()) return std::nullopt;
    const std::string& objective = served.model->predictors[0]->ensemble().objective;
    RowMargins margins;
    margins.is_class =
        objective.starts_with("binary:") || objective.starts_with("multi:") || objective == "reg:logistic";
    std::vector<std::vector<float>> answers;
    for (const auto& model : Answering(served)) {
        Result<model::RowOutputs> outputs = model::RowOutputs::Create(model, "margin");
        if (!outputs || !outputs->Compute(rows.rows, answers.emplace_back())) return std::nullopt;
        margins.per_row = outputs->per_row();
    }
    margins.values = answers.size() == 1 ? std::move(answers[0]) : Combine(answers, false);
    return margins;
}

}  // namespace espalier::hosting
