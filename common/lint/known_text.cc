#include "common/lint/known_text.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/lint/session.h"
#include "common/sql/identifier.h"

namespace curlew::lint {
namespace {

using pg_query::Node;

class Reader {
 public:
  explicit Reader(const std::map<std::string, std::string>& variables) : variables_(variables) {}

  bool Text(const Node& node, std::string* text) {
    if (node.has_column_ref()) {
      std::string name;
      for (const Node& field : node.column_ref().fields())
        absl::StrAppend(&name, name.empty() ? "" : ".", field.string().sval());
      const auto it = variables_.find(name);
      if (it == variables_.end()) return false;
      *text = it->second;
      return true;
    }
    if (node.has_a_const() && node.a_const().has_sval()) {
      *text = node.a_const().sval().sval();
      return true;
    }
    if (node.has_a_const() && node.a_const().has_ival()) {
      *text = absl::StrCat(node.a_const().ival().ival());
      return true;
    }
    if (node.has_type_cast()) return Text(node.type_cast().arg(), text);
    if (node.has_a_expr() && NameParts(node.a_expr().name()).second == "||") {
      std::string left, right;
      if (!Text(node.a_expr().lexpr(), &left) || !Text(node.a_expr().rexpr(), &right)) return false;
      *text = left + right;
      return true;
    }
    if (node.has_func_call()) return Call(node.func_call(), text);
    return false;
  }

 private:
  bool Call(const pg_query::FuncCall& call, std::string* text) {
    const std::string name = NameParts(call.funcname()).second;
    std::vector<std::string> arguments;
    for (const Node& node : call.args()) {
      std::string argument;
      if (!Text(node, &argument)) return false;
      arguments.push_back(std::move(argument));
    }
    if (name == "quote_ident" && arguments.size() == 1) {
      *text = sql::Ident(arguments[0]);
      return true;
    }
    if (name == "quote_literal" && arguments.size() == 1) {
      *text = sql::Literal(arguments[0]);
      return true;
    }
    if (name == "concat") {
      for (const std::string& a : arguments) *text += a;
      return true;
    }
    if (name != "format" || arguments.empty()) return false;
    size_t next = 1;
    const std::string& format = arguments[0];
    for (size_t i = 0; i < format.size(); ++i) {
      if (format[i] != '%' || i + 1 == format.size()) {
        *text += format[i];
        continue;
      }
      const char kind = format[++i];
      if (kind == '%') {
        *text += '%';
        continue;
      }
      if (next >= arguments.size()) return false;
      if (kind == 'I') {
        *text += sql::Ident(arguments[next++]);
      } else if (kind == 'L') {
        *text += sql::Literal(arguments[next++]);
      } else if (kind == 's') {
        *text += arguments[next++];
      } else {
        return false;
      }
    }
    return true;
  }

  const std::map<std::string, std::string>& variables_;
};

}  // namespace

bool KnownText(const Node& expression, const std::map<std::string, std::string>& variables,
               std::string* text) {
  text->clear();
  return Reader(variables).Text(expression, text);
}

}  // namespace curlew::lint
