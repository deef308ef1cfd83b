// Rows of plain decimal numbers, the way most CSV files are written, a cell in one vector.
//
// Steps: the 16 bytes at a cell are compared with the delimiter, which says where the next cell begins, with the digits
// and the point; one shuffle, chosen by length and point, brings the digits to the right and drops the point; three
// multiplications add up sixteen digits; a row's digits are then divided and rounded as in text_number.h, four cells at
// a time. No branch depends on a digit, a sign or a length. Contract: 16 bytes after `end` are readable. The same
// numbers as ParseFloat, which is the oracle, bit for bit on every instruction set. 69 instructions a cell (AVX2),
// about 6 ns (Zen 3, 2026-11-26). Thread-safe.
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
/// `end` is reached or a row has a cell that is not [-]digits[.digits] of at most 15 characters. first_cells:
/// [rows_max]; other_cells: [rows_max x (num_cells - 1)]; a row that was not read may have left something there.
/// Returns the number of rows read.
std::size_t ParsePlainRows(const char*& p, const char* end, const PlainRowForm& form, std::size_t rows_max,
                           float* first_cells, float* other_cells);

}  // namespace espalier::kernels
