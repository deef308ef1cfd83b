#include "kernels/plain_rows.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kernels/simd_targets.h"
#include "kernels/text_number.h"

namespace espalier::kernels {
namespace {

struct Read {
    std::size_t num_rows = 0;
    std::size_t stop = 0;
    std::vector<float> values;
};

Read ReadRows(const std::string& text, const PlainRowForm& form, std::size_t rows_max) {
    std::string padded = text + std::string(kTextPadding, '\n');
    const char* p = padded.data();
    Read read;
    const std::size_t num_others = form.num_cells - 1;
    std::vector<float> first_cells(rows_max);
    std::vector<float> others(rows_max * num_others);
    const char* const end = padded.data() + text.size();
    read.num_rows = ParsePlainRows(p, end, form, rows_max, first_cells.data(), others.data());
    read.stop = static_cast<std::size_t>(p - padded.data());
    for (std::size_t row = 0; row < read.num_rows; ++row) {
        read.values.push_back(first_cells[row]);
        for (std::size_t i = 0; i < num_others; ++i) read.values.push_back(others[row * num_others + i]);
    }
    return read;
}

/// Calls body for each instruction set that has vectors of bytes.
template <typename Body>
void ForEachTarget(Body&& body) {
    for (const std::string& name : SimdNames()) {
        ASSERT_TRUE(LimitSimd(name).has_value());
        SCOPED_TRACE(name);
        const bool has_vectors = ReadRows("1\n", {}, 1).num_rows == 1;
        EXPECT_TRUE(has_vectors || name == "scalar");
        if (has_vectors) body();
    }
    ASSERT_TRUE(LimitSimd("").has_value());
}

std::string RandomCell(std::mt19937_64& random) {
    std::string digits(1 + random() % 7, '0');
    for (char& c : digits) c = static_cast<char>('0' + random() % 10);
    std::string cell = (random() % 2 == 0 ? "-" : "") + digits;
    if (random() % 4 == 0) return cell;
    std::string fraction(1 + random() % (15 - 1 - cell.size()), '0');
    for (char& c : fraction) c = static_cast<char>('0' + random() % 10);
    return cell + "." + fraction;
}

TEST(PlainRowsTest, AgreesWithParseFloatAtEveryLengthAndPlace) {
    ForEachTarget([] {
        std::mt19937_64 random(5);
        for (const std::size_t num_cells : {1U, 2U, 3U, 29U}) {
            const PlainRowForm form{random() % 2 == 0 ? ',' : '\t', '\n', num_cells};
            std::string text;
            std::vector<std::uint32_t> expected;
            for (std::size_t cell = 0; cell < 300 * num_cells; ++cell) {
                const std::string token = RandomCell(random);
                float value = 0;
                const std::string padded = token + std::string(kTextPadding, '\n');
                ASSERT_EQ(ParseFloat(padded.data(), padded.data() + token.size(), value), padded.data() + token.size());
                expected.push_back(std::bit_cast<std::uint32_t>(value));
                text += token + (cell % num_cells + 1 == num_cells ? '\n' : form.delimiter);
            }
            std::size_t at = 0;
            std::size_t num_values = 0;
            std::size_t num_left = 0;
            while (at < text.size()) {
                const Read read = ReadRows(text.substr(at), form, 1 + random() % 40);
                for (const float value : read.values) {
                    ASSERT_EQ(std::bit_cast<std::uint32_t>(value), expected[num_values++]) << num_values;
                }
                at += read.stop;
                if (read.num_rows > 0) continue;
                // On the border between two floats a row is left to others, which is rare.
                at = text.find('\n', at) + 1;
                num_values += num_cells;
                ++num_left;
            }
            EXPECT_LT(num_left, 15U);
            EXPECT_EQ(num_values, expected.size());
        }
    });
}

TEST(PlainRowsTest, StopsBeforeARowWithAnythingElse) {
    ForEachTarget([] {
        for (const char* odd : {"",
                                "-",
                                ".5",
                                "5.",
                                "1.2.3",
                                "--1",
                                "1-",
                                "1e5",
                                "nan",
                                " 1",
                                "1 ",
                                "\"1\"",
                                "+1",
                                "1,2",
                                "1\r",
                                "12345678.12345678",
                                "1234567890123456",
                                "0x1",
                                "1\n2",
                                "16777217"}) {
            const std::string text = std::string("1,2.5,3\n4,") + odd + ",6\n";
            const Read read = ReadRows(text, {',', '\n', 3}, 10);
            EXPECT_EQ(read.num_rows, 1U) << odd;
            EXPECT_EQ(read.stop, 8U) << odd;
            EXPECT_EQ(read.values, (std::vector<float>{1, 2.5F, 3})) << odd;
        }
    });
}

TEST(PlainRowsTest, TakesBothLineEndsAndNoMoreThanAsked) {
    ForEachTarget([] {
        const Read both = ReadRows("1;2\r\n-0;4\r5;6\r\n", {';', '\r', 2}, 10);
        EXPECT_EQ(both.num_rows, 3U);
        EXPECT_EQ(both.values, (std::vector<float>{1, 2, -0.0F, 4, 5, 6}));
        const Read two = ReadRows("1\n2\n3\n", {',', '\n', 1}, 2);
        EXPECT_EQ(two.num_rows, 2U);
        EXPECT_EQ(two.stop, 4U);
        EXPECT_EQ(ReadRows("", {}, 5).num_rows, 0U);
        EXPECT_EQ(ReadRows("7", {',', '\n', 1}, 5).values, (std::vector<float>{7})) << "the padding ends it";
    });
}

}  // namespace
}  // namespace espalier::kernels
