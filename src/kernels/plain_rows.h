// Rows of plain decimal numbers, the way most CSV files are written, a cell in one vector.
//
// Steps: the 16 bytes at a cell are compared with the delimiter, the point and the digits; one shuffle, chosen by the
// places of delimiter and point, brings the digits to the right and drops the point; pairs of digits are added up three
// times; the rest is text_number.h's one division. No branch depends on a digit or a length.
// Contract: 16 bytes after `end` are readable. The same numbers as ParseFloat, which is the oracle, bit for bit on
// every instruction set. About 6 ns a cell (Zen 3, 2026-11-26). Thread-safe.
#pragma once

#include <cstddef>

namespace espalier::kernels {

/// How rows are written.
struct PlainRowForm {
    char delimiter = ',';
    char line_end = '\n';       ///< '\r' may be followed by '\n'
    std::size_t num_cells = 1;  ///< of every row, at least 1
};

/// Reads rows from p on, which becomes the beginning of the first row that was not read, until rows_max are read or
/// `end` is reached or a row has a cell that is not [-]digits[.digits] of at most 15 characters. values: [rows_max x
/// num_cells]. Returns the number of rows read.
std::size_t ParsePlainRows(const char*& p, const char* end, const PlainRowForm& form, std::size_t rows_max,
                           float* values);

}  // namespace espalier::kernels
