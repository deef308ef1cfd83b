// What the serving container of a built-in image answers to one invocation: decode the payload, predict, encode.
//
// The images differ in how they answer; the checks come in their order: empty body (204), payload or content type
// (415), prediction (400), Accept (406). Statuses and texts are the containers' own, because clients see them inside
// ModelError. An archive with several models (k-fold) answers with their mean, or with the class that most of them
// give. `Accept: TYPE; output=NAME` asks any image for one of model/row_outputs.h (docs/guide.md). Multi-model
// containers have another handler: all rows on a line or in one JSON array, other Accept types refused (415). A warm
// plain call allocates the reply and nothing else of size: rows are decoded into a buffer of the thread. A large answer
// can be had in slices of rows, which together are the same bytes. Source:
// contracts/xgboost.md section 6 (aws/sagemaker-xgboost-container); pinned by tests/clients/test_invoke.py.
// Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/algorithm_image.h"
#include "data/feature_rows.h"
#include "hosting/loaded_model.h"

namespace espalier::hosting {

/// A model in the container that serves it. Immutable.
struct ServedModel {
    std::shared_ptr<const LoadedModel> model;
    AlgorithmVersion version = AlgorithmVersion::kLegacy;
    std::string default_accept = "text/csv";  ///< SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT
    std::uint64_t content_bytes_max = 0;      ///< MAX_CONTENT_LENGTH; 0 = the platform's limit alone counts
    std::vector<std::string> selected_keys;   ///< SAGEMAKER_INFERENCE_OUTPUT: what each row's answer holds
    bool whole_ensemble =
        true;                  ///< SAGEMAKER_INFERENCE_ENSEMBLE: all models of the archive answer, not the first alone
    bool is_batch = false;     ///< in a batch transform: a line for each row, whatever the image
    bool multi_model = false;  ///< in a multi-model container, which answers in its own way, whatever the image

    bool operator==(const ServedModel&) const = default;
};

struct ContainerReply {
    int status = 200;
    std::string_view content_type;  ///< of static lifetime; "" when there is no body
    std::string body;               ///< for a status that is no 2xx: the message
};

/// content_type and accept as in the request's headers, "" when absent.
ContainerReply Infer(const ServedModel& served, std::string_view content_type, std::string_view accept,
                     std::string_view body);

/// The same answer, made some rows at a time. Thread-compatible.
class SlicedInference {
  public:
    static constexpr std::size_t kSliceRowsMax = 1024;
    /// A slice of rows that have many values each is shorter.
    static constexpr std::size_t kSliceValuesMax = 64 << 10;

    /// Reads the payload; the arguments are those of Infer. `served` and `accept` are borrowed until the last Next.
    SlicedInference(const ServedModel& served, std::string_view content_type, std::string_view accept,
                    std::string_view body);
    /// The next rows' answer. What Infer refuses the first Next refuses; after a refusal there is no other.
    ContainerReply Next();
    bool done() const { return done_; }

  private:
    std::size_t SliceRows() const;

    const ServedModel& served_;
    const std::string_view accept_;
    data::LabeledRows rows_;
    data::FeatureRows slice_;
    std::optional<ContainerReply> refused_;
    std::size_t slice_rows_ = 0;
    std::size_t num_answered_ = 0;
    bool done_ = false;
};

/// The sums of trees of each row, which answers of all kinds are made of.
struct RowMargins {
    std::size_t per_row = 1;    ///< 1, or the number of classes
    bool is_class = false;      ///< they speak for a class, not a number
    std::vector<float> values;  ///< [rows x per_row]; of several models the mean
};
/// nullopt when the payload cannot be read or predicted from.
std::optional<RowMargins> Margins(const ServedModel& served, std::string_view content_type, std::string_view body);

}  // namespace espalier::hosting
