#include <cstdio>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "common/pg/connection.h"

namespace curlew::pg {
namespace {

// A mistake in our own SQL: no input of anybody leads here.
[[noreturn]] void NotA(const char* type, const std::string& text) {
  std::fprintf(stderr, "pg::Result: this is no %s: %s\n", type, text.c_str());
  std::abort();
}

}  // namespace

int64_t Result::Int(int64_t row, int column) const {
  if (IsNull(row, column)) return 0;
  int64_t value = 0;
  if (!absl::SimpleAtoi(*rows_[row][column], &value)) NotA("integer", *rows_[row][column]);
  return value;
}

double Result::Double(int64_t row, int column) const {
  if (IsNull(row, column)) return 0;
  double value = 0;
  if (!absl::SimpleAtod(*rows_[row][column], &value)) NotA("number", *rows_[row][column]);
  return value;
}

std::vector<std::string> Result::Array(int64_t row, int column) const {
  std::vector<std::string> elements;
  if (IsNull(row, column)) return elements;
  const std::string& text = *rows_[row][column];
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') NotA("one-dimensional array", text);
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    std::string element;
    if (text[i] == '"') {
      for (++i; text[i] != '"'; ++i) {
        if (text[i] == '\\') ++i;
        element += text[i];
      }
      ++i;
    } else {
      for (; text[i] != ',' && i + 1 < text.size(); ++i) element += text[i];
      if (element == "NULL") element.clear();
    }
    elements.push_back(std::move(element));
  }
  return elements;
}

Param ArrayParam(const std::vector<std::string>& elements) {
  std::string text = "{";
  for (const std::string& element : elements) {
    if (text.size() > 1) text += ',';
    text += '"';
    for (char c : element) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  text += '}';
  return text;
}

}  // namespace curlew::pg
