// The stack machine of pickles, without any of its power to call: it builds numbers, texts, lists, dictionaries, and
// objects that only remember their class and state.
//
// Limits: a value takes 16 bytes and there may be one for every 16 bytes of the file (and 4,096 more), so memory stays
// within four times the file. Every operation takes at least a byte and none goes back, so the time is linear.
// Internal to model/. Confined to one thread; the bytes are borrowed and must outlive the machine.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/byte_cursor.h"

namespace espalier::model {

struct PickleValue {
    enum class Kind : std::uint8_t { kNone, kNumber, kText, kBytes, kList, kDictionary, kName, kObject, kMark };
    Kind kind = Kind::kNone;
    std::uint32_t size = 0;  ///< of a text or bytes
    union {
        double number = 0;
        const char* text;  ///< also of a name, "module name"
        std::uint64_t
            container;  ///< of a list (tuples too), dictionary (keys and values in turn) or object ([class, state])
    };

    std::string_view view() const { return {text, size}; }
};
static_assert(sizeof(PickleValue) == 16);

class PickleMachine {
  public:
    explicit PickleMachine(std::string_view bytes);

    /// Runs to the end of the program; the value it leaves.
    Result<PickleValue> Run();

    const std::vector<PickleValue>& Items(const PickleValue& container) const {
        return containers_[static_cast<std::size_t>(container.container)];
    }

  private:
    Result<bool> Step();  // false: the program has ended
    Result<bool> StepLiteral(char operation);
    Result<bool> StepStack(char operation);
    Result<void> PushTextLine(char operation);
    Result<void> PushText(std::uint64_t size, PickleValue::Kind kind);
    Result<void> PushName(std::string_view module, std::string_view name);
    Result<void> PushLong(std::uint64_t size);
    Result<void> Push(PickleValue value);
    Result<void> PushContainer(PickleValue::Kind kind, std::vector<PickleValue> items);
    Result<PickleValue> Pop();
    Result<std::vector<PickleValue>> PopToMark();
    Result<void> PopTuple(std::size_t size);
    Result<void> AddTo(PickleValue::Kind kind, std::vector<PickleValue> items);
    Result<void> Call();
    Result<void> Build();
    Result<void> Decode(const PickleValue& text);
    Result<void> Remember(std::uint64_t key);
    Result<void> Recall(std::uint64_t key);
    Result<std::string_view> Line();
    Result<std::uint64_t> LineNumber();
    PickleValue Own(std::string text, PickleValue::Kind kind);

    ByteCursor cursor_;
    std::size_t values_left_;
    std::vector<PickleValue> stack_;
    std::vector<PickleValue> memo_;
    std::deque<std::vector<PickleValue>> containers_;
    std::deque<std::string> owned_;  // texts that do not stand in the file as they are
};

}  // namespace espalier::model
