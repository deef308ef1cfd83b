#include "data/csv.h"
#include "fuzz_target.h"
#include "row_invariants.h"

namespace espalier::fuzz {

std::vector<std::string> Seeds() {
    return {"1,2,3\n4,5,6\n", "1;2.5;-3e2\r\n4;;6\r\n", "1\t2\t3\n4\tnan\t6", "\"1\",\"2\"\"\",\"\"\n4,5,6\n",
            "1 2 3\n4 5 6\n", "a,b,c\n1,2,3\n",         "1|2|3\n\n4|x|6\n",   "7\n8\n",
            "1,2,\n3,4,\n"};
}

std::vector<std::string> Words() {
    return {",",  ";",    "\t",  "|",   ":",     " ", "\"", "\"\"",
            "\n", "\r\n", "nan", "inf", "1e400", "-", ".5", "\xEF\xBB\xBF"};
}

}  // namespace espalier::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace espalier;
    std::string_view text = fuzz::AsText(data, size);
    data::FeatureRows request;
    Result<void> requested = data::ParseCsvRequest(text, request);
    if (requested) fuzz::CheckRows(request);

    Result<char> delimiter = data::DetermineCsvDelimiter(text);
    if (!delimiter) return 0;
    data::PaddedBuffer buffer;
    data::PaddedText padded = buffer.Assign(text);
    for (bool weights : {false, true}) {
        data::CsvRules rules{*delimiter, data::CountCsvColumns(text, *delimiter), weights};
        if (rules.num_columns < (weights ? 3U : 2U)) continue;
        data::RowBlock rows;
        data::CsvTextCells text_cells;
        std::optional<data::TextIssue> issue = data::ParseCsvBlock(padded, rules, rows, text_cells);
        if (issue) {
            CHECK(issue->offset <= padded.size());
            continue;
        }
        fuzz::CheckRowBlock(rows);
        CHECK(rows.weights.size() == (weights ? rows.labels.size() : 0));
        CHECK(text_cells.count == 0 || text_cells.first_offset < padded.size());
    }
    return 0;
}
