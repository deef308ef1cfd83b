#include "kernels/text_match.h"

#include <gtest/gtest.h>

#include <string>

namespace espalier::kernels {
namespace {

std::size_t MatchOneByOne(const std::string& a, const std::string& b, std::size_t size_max) {
    std::size_t at = 0;
    while (at < size_max && a[at] == b[at]) ++at;
    return at;
}

// Every length up to three words, every place of the first difference, every limit.
TEST(TextMatchTest, AgreesWithTheComparisonByteByByte) {
    for (std::size_t size = 0; size <= 25; ++size) {
        for (std::size_t differs_at = 0; differs_at <= size; ++differs_at) {
            std::string a(size, 'x');
            std::string b = a;
            if (differs_at < size) b[differs_at] = 'y';
            a.resize(size + kTextPadding, 'p');
            b.resize(size + kTextPadding, 'p');
            for (std::size_t size_max = 0; size_max <= size; ++size_max) {
                EXPECT_EQ(MatchLength(a.data(), b.data(), size_max), MatchOneByOne(a, b, size_max));
            }
        }
    }
}

}  // namespace
}  // namespace espalier::kernels
