#include "data/libsvm.h"
#include "fuzz_target.h"
#include "row_invariants.h"

namespace espalier::fuzz {

std::vector<std::string> Seeds() {
    return {"1 1:0.5 3:-2\n0 2:0.25 4:1\n",
            "5 1:0.0 2:0.0 3:0.0078125 4:0.99609375 5:0.0 784:0.0\n",
            "0 7:0.0 8:0.0 9:0.0 10:0.0 11:0.05 12:0.0\n1 98:0 99:0 100:0 101:0.5 102:0 103:00\n",
            "# c\n1 1:2 # x 3:4\n\n2 2:1\r\n3 1:1\r4 1:1",
            "1:2 qid:3 1:0.5 9:1e-3\n0:0.5 qid:4 2:nan\n",
            "1 9:1 3:2 5:3 3:4\n",
            "1 2 3 4095 4096 99999999 2147483645\n",
            "0\n1\n",
            "1 1:12345678901234567890.123456789e-5 2:+1 3:.5 4:5. 5:-inf\n",
            "\xEF\xBB\xBF"
            "1 1:1\n"};
}

std::vector<std::string> Words() {
    return {":",         " ",     "\n",     "\r",         "\t",         "#",
            "qid:",      "nan",   "inf",    "0.0 ",       " 1:0.0",     " 2:0.0 3:0.0",
            " 9:0 10:0", "1e400", "1e-400", "2147483645", "4294967296", "99999999999999999999",
            "-",         "+",     ".",      "e5",         " 4096:1",    "\xEF\xBB\xBF"};
}

}  // namespace espalier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace espalier;
    std::string_view text = fuzz::AsText(data, size);
    data::FeatureRows request;
    Result<void> requested = data::ParseLibsvmRequest(text, request);
    if (requested) fuzz::CheckRows(request);

    data::PaddedBuffer buffer;
    data::PaddedText padded = buffer.Assign(text);
    data::FeatureRows whole;
    bool sound = !data::ParseUnlabeledLibsvmBlock(padded, {}, whole);
    bool marked = text.starts_with(data::kByteOrderMark);
    // In place with a padded tail, and padded as a whole, must agree.
    if (!marked) CHECK(sound == requested.has_value());
    if (!marked && sound) CHECK(fuzz::SameRows(whole, request));

    data::LibsvmRules rules;
    rules.feature_idx_max = 1'000'000;
    if (!data::SniffLibsvmRules(padded, rules)) return 0;
    data::RowBlock rows;
    std::optional<data::TextIssue> issue = data::ParseLibsvmBlock(padded, rules, rows);
    if (issue) {
        CHECK(issue->offset <= padded.size());
        CHECK(!issue->message.empty());
    } else {
        fuzz::CheckRowBlock(rows);
    }
    return 0;
}
