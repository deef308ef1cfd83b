#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace espalier {
namespace {

Result<int> Half(int number) {
    if (number % 2 != 0) return Error(ErrorCode::kInvalidArgument, "the number is odd");
    return number / 2;
}

Result<int> Quarter(int number) {
    int half = TRY_MSG(Half(number), "first half");
    return TRY(Half(half));
}

TEST(Result, CarriesTheValueThroughTry) {
    EXPECT_EQ(Quarter(8).value(), 2);
}

TEST(Result, CarriesTheErrorAndItsFramesThroughTry) {
    Result<int> odd = Quarter(7);
    ASSERT_FALSE(odd.has_value());
    EXPECT_EQ(odd.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(odd.error().ToString(), "first half: the number is odd");
    EXPECT_EQ(Quarter(6).error().ToString(), "the number is odd");
}

TEST(Result, IsOnePointerWideWhenAnError) {
    static_assert(sizeof(Error) == sizeof(void*));
}

TEST(Result, MapsErrnoToCodes) {
    EXPECT_EQ(ErrnoError("open /x", ENOENT).code(), ErrorCode::kNotFound);
    EXPECT_EQ(ErrnoError("write /x", ENOSPC).code(), ErrorCode::kResourceLimit);
    EXPECT_EQ(ErrnoError("open /x", ENOENT).message(), "open /x: No such file or directory");
}

}  // namespace
}  // namespace espalier
