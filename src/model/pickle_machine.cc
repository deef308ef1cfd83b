#include "model/pickle_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace espalier::model {
namespace {

using Kind = PickleValue::Kind;

// The names that a Booster's pickle needs, as "module name". None of them is called.
constexpr std::array<std::string_view, 10> kNames = {
    "xgboost.core Booster", "copy_reg _reconstructor", "copyreg _reconstructor", "__builtin__ object",
    "builtins object",      "__builtin__ bytearray",   "builtins bytearray",     "_codecs encode",
    "copy_reg __newobj__",  "copyreg __newobj__"};

PickleValue Number(double number) {
    PickleValue value;
    value.kind = Kind::kNumber;
    value.number = number;
    return value;
}

// The bytes that a text of latin-1 letters stands for; false if a letter is none.
bool DecodeLatin1(std::string_view utf8, std::string& bytes) {
    for (std::size_t i = 0; i < utf8.size(); ++i) {
        auto first = static_cast<unsigned char>(utf8[i]);
        if (first < 0x80) {
            bytes += utf8[i];
            continue;
        }
        bool two = (first == 0xC2 || first == 0xC3) && i + 1 < utf8.size();
        if (!two) return false;
        bytes += static_cast<char>(((first & 0x03U) << 6) | (static_cast<unsigned char>(utf8[++i]) & 0x3FU));
    }
    return true;
}

// A line of protocol 0: latin-1 letters, others as \u0041. To UTF-8; false for what cannot be.
bool DecodeRawUnicode(std::string_view line, std::string& utf8) {
    for (std::size_t i = 0; i < line.size(); ++i) {
        unsigned code = static_cast<unsigned char>(line[i]);
        if (line[i] == '\\' && i + 5 < line.size() && line[i + 1] == 'u') {
            auto [stop, status] = std::from_chars(line.data() + i + 2, line.data() + i + 6, code, 16);
            if (status != std::errc() || stop != line.data() + i + 6) return false;
            i += 5;
        }
        if (code < 0x80) {
            utf8 += static_cast<char>(code);
        } else if (code < 0x800) {
            utf8 += static_cast<char>(0xC0U | (code >> 6));
            utf8 += static_cast<char>(0x80U | (code & 0x3FU));
        } else {
            utf8 += static_cast<char>(0xE0U | (code >> 12));
            utf8 += static_cast<char>(0x80U | ((code >> 6) & 0x3FU));
            utf8 += static_cast<char>(0x80U | (code & 0x3FU));
        }
    }
    return true;
}

}  // namespace

PickleMachine::PickleMachine(std::string_view bytes)
    : cursor_(bytes, "pickle"), values_left_(4096 + bytes.size() / 16) {}

Result<PickleValue> PickleMachine::Run() {
    while (TRY(Step())) {
    }
    PickleValue value = TRY(Pop());
    if (!stack_.empty()) return cursor_.Fail("values are left over at the end");
    return value;
}

Result<void> PickleMachine::Push(PickleValue value) {
    if (values_left_ == 0) return cursor_.Fail("more values than a file of this size may have stand");
    --values_left_;
    stack_.push_back(value);
    return {};
}

Result<void> PickleMachine::PushContainer(Kind kind, std::vector<PickleValue> items) {
    PickleValue value;
    value.kind = kind;
    value.container = containers_.size();
    // A container takes a vector's head beside its values.
    constexpr std::size_t kValuesOfAHead = 2;
    if (values_left_ < kValuesOfAHead) return cursor_.Fail("more values than a file of this size may have stand");
    values_left_ -= kValuesOfAHead;
    containers_.push_back(std::move(items));
    return Push(value);
}

Result<PickleValue> PickleMachine::Pop() {
    if (stack_.empty()) return cursor_.Fail("a value is missing on the stack");
    PickleValue value = stack_.back();
    stack_.pop_back();
    return value;
}

Result<std::vector<PickleValue>> PickleMachine::PopToMark() {
    auto mark =
        std::find_if(stack_.rbegin(), stack_.rend(), [](const PickleValue& v) { return v.kind == Kind::kMark; });
    if (mark == stack_.rend()) return cursor_.Fail("a mark is missing on the stack");
    std::vector<PickleValue> items(mark.base(), stack_.end());
    stack_.erase(mark.base() - 1, stack_.end());
    return items;
}

Result<void> PickleMachine::PopTuple(std::size_t size) {
    if (stack_.size() < size) return cursor_.Fail("a value is missing on the stack");
    std::vector<PickleValue> items(stack_.end() - static_cast<std::ptrdiff_t>(size), stack_.end());
    stack_.resize(stack_.size() - size);
    return PushContainer(Kind::kList, std::move(items));
}

Result<void> PickleMachine::AddTo(Kind kind, std::vector<PickleValue> items) {
    if (stack_.empty() || stack_.back().kind != kind) return cursor_.Fail("values are added to what cannot hold them");
    if (kind == Kind::kDictionary && items.size() % 2 != 0) return cursor_.Fail("a key has no value");
    if (items.size() > values_left_) return cursor_.Fail("more values than a file of this size may have stand");
    values_left_ -= items.size();
    std::vector<PickleValue>& held = containers_[static_cast<std::size_t>(stack_.back().container)];
    held.insert(held.end(), items.begin(), items.end());
    return {};
}

PickleValue PickleMachine::Own(std::string text, Kind kind) {
    PickleValue value;
    value.kind = kind;
    value.size = static_cast<std::uint32_t>(text.size());
    value.text = owned_.emplace_back(std::move(text)).data();
    return value;
}

Result<void> PickleMachine::PushText(std::uint64_t size, Kind kind) {
    if (size > 0xFFFFFFFFU) return cursor_.Fail("a text is longer than 4 GB");
    std::string_view text = TRY(cursor_.Take(size));
    PickleValue value;
    value.kind = kind;
    value.size = static_cast<std::uint32_t>(size);
    value.text = text.data();
    return Push(value);
}

Result<void> PickleMachine::PushName(std::string_view module, std::string_view name) {
    std::string whole = fmt::format("{} {}", module.substr(0, 100), name.substr(0, 100));
    auto known = std::find(kNames.begin(), kNames.end(), whole);
    if (known == kNames.end()) {
        return Error(
            ErrorCode::kInvalidArgument,
            fmt::format("the pickle uses '{}', which is no part of an xgboost Booster; only Boosters are read", whole));
    }
    PickleValue value;
    value.kind = Kind::kName;
    value.size = static_cast<std::uint32_t>(known->size());
    value.text = known->data();
    return Push(value);
}

Result<void> PickleMachine::PushLong(std::uint64_t size) {
    if (size > 8) return cursor_.Fail("a whole number has more than 64 bits");
    std::string_view bytes = TRY(cursor_.Take(size));
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bits |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    bool negative = !bytes.empty() && (static_cast<unsigned char>(bytes.back()) & 0x80U) != 0;
    if (negative && size < 8) bits |= ~std::uint64_t{0} << (8 * size);
    return Push(Number(static_cast<double>(static_cast<std::int64_t>(bits))));
}

Result<std::string_view> PickleMachine::Line() {
    std::string_view rest = cursor_.rest();
    std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) return cursor_.Fail("a line is not ended: it is cut off");
    TRY(cursor_.Take(end + 1));
    return rest.substr(0, end);
}

Result<std::uint64_t> PickleMachine::LineNumber() {
    std::string_view line = TRY(Line());
    std::uint64_t number = 0;
    auto [stop, status] = std::from_chars(line.data(), line.data() + line.size(), number);
    if (status != std::errc() || stop != line.data() + line.size()) return cursor_.Fail("a whole number is expected");
    return number;
}

// The values of protocol 0, a line each.
Result<void> PickleMachine::PushTextLine(char operation) {
    std::string_view line = TRY(Line());
    if (operation == 'V') {
        std::string text;
        if (!DecodeRawUnicode(line, text)) return cursor_.Fail("a text cannot be decoded");
        return Push(Own(std::move(text), Kind::kText));
    }
    if (operation == 'S') {
        bool quoted = line.size() >= 2 && (line.front() == '\'' || line.front() == '"') && line.back() == line.front();
        if (!quoted || line.find('\\') != std::string_view::npos)
            return cursor_.Fail("a plain quoted text is expected");
        return Push(Own(std::string(line.substr(1, line.size() - 2)), Kind::kText));
    }
    if (operation != 'F' && line.ends_with('L')) line.remove_suffix(1);
    double number = 0;
    auto [stop, status] = std::from_chars(line.data(), line.data() + line.size(), number);
    if (status != std::errc() || stop != line.data() + line.size()) return cursor_.Fail("a number is expected");
    return Push(Number(number));
}

Result<void> PickleMachine::Remember(std::uint64_t key) {
    if (stack_.empty()) return cursor_.Fail("a value is missing on the stack");
    // An optimised pickle leaves gaps.
    if (key >= memo_.size()) {
        std::uint64_t added = key + 1 - memo_.size();
        if (added > values_left_) return cursor_.Fail("a value is kept under too great a number");
        values_left_ -= static_cast<std::size_t>(added);
        memo_.resize(static_cast<std::size_t>(key) + 1);
    }
    memo_[static_cast<std::size_t>(key)] = stack_.back();
    return {};
}

Result<void> PickleMachine::Recall(std::uint64_t key) {
    if (key >= memo_.size()) return cursor_.Fail("a value is asked for that was not kept");
    return Push(memo_[static_cast<std::size_t>(key)]);
}

// bytearray(bytes), bytearray(text, "latin-1") and _codecs.encode(text, "latin1").
Result<void> PickleMachine::Decode(const PickleValue& text) {
    if (text.kind == Kind::kBytes) return Push(text);
    if (text.kind != Kind::kText) return cursor_.Fail("bytes are made of what is no text");
    std::string bytes;
    if (!DecodeLatin1(text.view(), bytes)) return cursor_.Fail("bytes are made of a text that is not latin-1");
    return Push(Own(std::move(bytes), Kind::kBytes));
}

Result<void> PickleMachine::Call() {
    PickleValue arguments = TRY(Pop());
    PickleValue callee = TRY(Pop());
    if (callee.kind != Kind::kName || arguments.kind != Kind::kList)
        return cursor_.Fail("a call of what is no name stands");
    std::string_view name = callee.view();
    const std::vector<PickleValue>& items = Items(arguments);
    if (name.ends_with("bytearray") || name.ends_with("encode")) {
        if (items.empty()) return Push(Own("", Kind::kBytes));
        return Decode(items[0]);
    }
    bool object = name.ends_with("_reconstructor") || name.ends_with("__newobj__");
    if (!object || items.empty() || items[0].kind != Kind::kName)
        return cursor_.Fail("a call that makes no Booster stands");
    return PushContainer(Kind::kObject, {items[0], PickleValue()});
}

Result<void> PickleMachine::Build() {
    PickleValue state = TRY(Pop());
    if (stack_.empty() || stack_.back().kind != Kind::kObject)
        return cursor_.Fail("state is given to what is no object");
    containers_[static_cast<std::size_t>(stack_.back().container)][1] = state;
    return {};
}

Result<bool> PickleMachine::StepLiteral(char operation) {
    switch (operation) {
        case 'N':
            TRY(Push(PickleValue()));
            return true;
        case '\x88':
        case '\x89':
            TRY(Push(Number(operation == '\x88' ? 1 : 0)));
            return true;
        case 'J':
            TRY(Push(Number(TRY(cursor_.Number<std::int32_t>()))));
            return true;
        case 'K':
            TRY(Push(Number(TRY(cursor_.Number<std::uint8_t>()))));
            return true;
        case 'M':
            TRY(Push(Number(TRY(cursor_.Number<std::uint16_t>()))));
            return true;
        case '\x8a':
            TRY(PushLong(TRY(cursor_.Number<std::uint8_t>())));
            return true;
        case 'G': {
            auto bits = TRY(cursor_.Number<std::uint64_t>());
            TRY(Push(Number(std::bit_cast<double>(__builtin_bswap64(bits)))));
            return true;
        }
        case 'X':
        case 'T':
            TRY(PushText(TRY(cursor_.Number<std::uint32_t>()), Kind::kText));
            return true;
        case '\x8c':
        case 'U':
            TRY(PushText(TRY(cursor_.Number<std::uint8_t>()), Kind::kText));
            return true;
        case '\x8d':
            TRY(PushText(TRY(cursor_.Number<std::uint64_t>()), Kind::kText));
            return true;
        case 'B':
            TRY(PushText(TRY(cursor_.Number<std::uint32_t>()), Kind::kBytes));
            return true;
        case 'C':
            TRY(PushText(TRY(cursor_.Number<std::uint8_t>()), Kind::kBytes));
            return true;
        case '\x8e':
        case '\x96':
            TRY(PushText(TRY(cursor_.Number<std::uint64_t>()), Kind::kBytes));
            return true;
        case 'V':
        case 'S':
        case 'I':
        case 'L':
        case 'F':
            TRY(PushTextLine(operation));
            return true;
        default:
            return false;
    }
}

// Marks, containers and the memo. True: it was one of these.
Result<bool> PickleMachine::StepStack(char operation) {
    switch (operation) {
        case '(': {
            PickleValue mark;
            mark.kind = Kind::kMark;
            TRY(Push(mark));
            return true;
        }
        case '0':
            TRY(Pop());
            return true;
        case ')':
        case ']':
            TRY(PushContainer(Kind::kList, {}));
            return true;
        case '}':
            TRY(PushContainer(Kind::kDictionary, {}));
            return true;
        case 't':
        case 'l':
            TRY(PushContainer(Kind::kList, TRY(PopToMark())));
            return true;
        case 'd':
            TRY(PushContainer(Kind::kDictionary, TRY(PopToMark())));
            return true;
        case '\x85':
        case '\x86':
        case '\x87':
            TRY(PopTuple(static_cast<std::size_t>(operation - '\x85') + 1));
            return true;
        case 'e':
            TRY(AddTo(Kind::kList, TRY(PopToMark())));
            return true;
        case 'u':
            TRY(AddTo(Kind::kDictionary, TRY(PopToMark())));
            return true;
        case 'a':
            TRY(AddTo(Kind::kList, {TRY(Pop())}));
            return true;
        case 's': {
            PickleValue value = TRY(Pop());
            PickleValue key = TRY(Pop());
            TRY(AddTo(Kind::kDictionary, {key, value}));
            return true;
        }
        case 'q':
            TRY(Remember(TRY(cursor_.Number<std::uint8_t>())));
            return true;
        case 'r':
            TRY(Remember(TRY(cursor_.Number<std::uint32_t>())));
            return true;
        case '\x94':
            TRY(Remember(memo_.size()));
            return true;
        case 'p':
            TRY(Remember(TRY(LineNumber())));
            return true;
        case 'h':
            TRY(Recall(TRY(cursor_.Number<std::uint8_t>())));
            return true;
        case 'j':
            TRY(Recall(TRY(cursor_.Number<std::uint32_t>())));
            return true;
        case 'g':
            TRY(Recall(TRY(LineNumber())));
            return true;
        default:
            return false;
    }
}

Result<bool> PickleMachine::Step() {
    char operation = TRY(cursor_.Number<char>());
    if (TRY(StepLiteral(operation)) || TRY(StepStack(operation))) return true;
    switch (operation) {
        case '.':
            return false;
        case '\x80':
            TRY(cursor_.Take(1));  // the protocol's number
            return true;
        case '\x95':
            TRY(cursor_.Take(8));  // the length of a frame
            return true;
        case 'c': {
            std::string_view module = TRY(Line());
            TRY(PushName(module, TRY(Line())));
            return true;
        }
        case '\x93': {
            PickleValue name = TRY(Pop());
            PickleValue module = TRY(Pop());
            if (name.kind != Kind::kText || module.kind != Kind::kText) return cursor_.Fail("a name is no text");
            TRY(PushName(module.view(), name.view()));
            return true;
        }
        case '\x81': {
            TRY(Pop());
            PickleValue type = TRY(Pop());
            if (type.kind != Kind::kName) return cursor_.Fail("an object of no class stands");
            TRY(PushContainer(Kind::kObject, {type, PickleValue()}));
            return true;
        }
        case 'R':
            TRY(Call());
            return true;
        case 'b':
            TRY(Build());
            return true;
        default:
            return Error(ErrorCode::kInvalidArgument,
                         fmt::format("the pickle's operation 0x{:02x} at byte {} is no part of an xgboost Booster",
                                     static_cast<unsigned char>(operation), cursor_.offset() - 1));
    }
}

}  // namespace espalier::model
