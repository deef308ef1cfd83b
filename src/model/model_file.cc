#include "model/model_file.h"

#include <utility>

#include "model/document_cursor.h"
#include "model/document_reader.h"
#include "model/lightgbm_reader.h"
#include "model/old_binary_reader.h"
#include "model/onnx_reader.h"
#include "model/pickle_reader.h"

namespace espalier::model {
namespace {

Result<TreeEnsemble> ReadAs(ModelFormat format, std::string_view bytes) {
    switch (format) {
        case ModelFormat::kJson:
            return ReadDocument(MakeJsonCursor(bytes));
        case ModelFormat::kUbjson:
            return ReadDocument(MakeUbjsonCursor(bytes));
        case ModelFormat::kOldBinary:
            return ReadOldBinary(bytes);
        case ModelFormat::kPickle:
            return ReadPickle(bytes);
        case ModelFormat::kLightgbm:
            return ReadLightgbm(bytes);
        case ModelFormat::kOnnx:
            break;
    }
    return ReadOnnx(bytes);
}

}  // namespace

std::string_view ToString(ModelFormat format) {
    switch (format) {
        case ModelFormat::kJson:
            return "XGBoost JSON";
        case ModelFormat::kUbjson:
            return "XGBoost UBJSON";
        case ModelFormat::kOldBinary:
            return "XGBoost old binary";
        case ModelFormat::kPickle:
            return "pickled XGBoost Booster";
        case ModelFormat::kLightgbm:
            return "LightGBM text";
        case ModelFormat::kOnnx:
            break;
    }
    return "ONNX";
}

Result<ModelFormat> DetectModelFormat(std::string_view bytes) {
    std::size_t first = bytes.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return Error(ErrorCode::kCorruptData, "the model file is empty");
    if (bytes[first] == '{') {
        std::size_t second = bytes.find_first_not_of(" \t\r\n", first + 1);
        bool json = second != std::string_view::npos && (bytes[second] == '"' || bytes[second] == '}');
        return json ? ModelFormat::kJson : ModelFormat::kUbjson;
    }
    if (LooksLikePickle(bytes)) return ModelFormat::kPickle;
    if (LooksLikeLightgbm(bytes)) return ModelFormat::kLightgbm;
    if (LooksLikeOldBinary(bytes)) return ModelFormat::kOldBinary;
    if (LooksLikeOnnx(bytes)) return ModelFormat::kOnnx;
    return Error(ErrorCode::kCorruptData,
                 "this is no model file: it is none of XGBoost's JSON, UBJSON, old binary format and pickles, of "
                 "LightGBM's text and of ONNX");
}

Result<TreeEnsemble> ReadModel(std::string_view bytes) {
    TreeEnsemble ensemble = TRY(ReadAs(TRY(DetectModelFormat(bytes)), bytes));
    TRY(CheckEnsemble(ensemble));
    return ensemble;
}

}  // namespace espalier::model
