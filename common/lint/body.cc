#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/lint/deparse.h"
#include "common/lint/statements.h"
#include "common/sql/identifier.h"
#include "common/sql/parser.h"

namespace curlew::lint {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;
using pg_query::Node;

// Functions in functions are followed no deeper.
constexpr int kMostDepth = 5;

const Value* Field(const Struct& object, const std::string& key) {
  const auto it = object.fields().find(key);
  return it == object.fields().end() ? nullptr : &it->second;
}

// A statement in a body: its places are none of the script's, and variables look like columns to a server.
absl::Status Nested(Effects& e, const Node& statement, absl::string_view text) {
  Explainer* const explainer = e.session.explainer;
  const absl::string_view outer = e.text;
  const int place = e.place;
  e.session.explainer = nullptr;
  e.text = "";
  const absl::Status status = LintStatement(e, statement, text);
  e.session.explainer = explainer;
  e.text = outer;
  e.place = place;
  return status;
}

// Walks what PL/pgSQL's compiler made of a body: statements are objects of one key, "PLpgSQL_stmt_...".
class Body {
 public:
  Body(Effects* e) : e_(*e) {}

  absl::Status Run(const Value& value) {
    if (value.kind_case() == Value::kListValue) {
      for (const Value& item : value.list_value().values()) RETURN_IF_ERROR(Run(item));
      return absl::OkStatus();
    }
    if (value.kind_case() != Value::kStructValue) return absl::OkStatus();
    for (const auto& [key, inner] : value.struct_value().fields()) {
      if (key == "PLpgSQL_stmt_commit" || key == "PLpgSQL_stmt_rollback") {
        e_.transactional = false;
      } else if (key == "PLpgSQL_stmt_execsql") {
        RETURN_IF_ERROR(Sql(QueryOf(inner, "sqlstmt")));
      } else if (key == "PLpgSQL_stmt_dynexecute" || key == "PLpgSQL_stmt_dynfors") {
        RETURN_IF_ERROR(Dynamic(QueryOf(inner, "query")));
        if (key == "PLpgSQL_stmt_dynfors") RETURN_IF_ERROR(Child(inner, "body"));
      } else if (key == "PLpgSQL_stmt_perform") {
        RETURN_IF_ERROR(Sql(QueryOf(inner, "expr")));
      } else if (key == "PLpgSQL_stmt_fors") {
        RETURN_IF_ERROR(Sql(QueryOf(inner, "query")));
        RETURN_IF_ERROR(Child(inner, "body"));
      } else if (key == "PLpgSQL_stmt_if") {
        RETURN_IF_ERROR(If(inner.struct_value()));
      } else if (key == "PLpgSQL_stmt_call") {
        RETURN_IF_ERROR(Sql(QueryOf(inner, "expr")));
      } else if (key == "PLpgSQL_stmt_return") {
        break;
      } else if (key == "PLpgSQL_expr") {
        RETURN_IF_ERROR(Expression(QueryOfExpression(inner)));
      } else {
        RETURN_IF_ERROR(Run(inner));
      }
    }
    return absl::OkStatus();
  }

 private:
  static std::string QueryOfExpression(const Value& expression) {
    const Value* query = Field(expression.struct_value(), "query");
    return query == nullptr ? "" : query->string_value();
  }
  static std::string QueryOf(const Value& statement, const std::string& key) {
    const Value* expression = Field(statement.struct_value(), key);
    if (expression == nullptr) return "";
    const Value* inner = Field(expression->struct_value(), "PLpgSQL_expr");
    return inner == nullptr ? "" : QueryOfExpression(*inner);
  }
  absl::Status Child(const Value& statement, const std::string& key) {
    const Value* child = Field(statement.struct_value(), key);
    return child == nullptr ? absl::OkStatus() : Run(*child);
  }

  // A statement, run as it stands.
  absl::Status Sql(const std::string& text) {
    auto tree = sql::Parse(text);
    if (!tree.ok()) return absl::OkStatus();
    for (const auto& raw : tree->stmts()) {
      if (IsTopLevelOnly(raw.stmt())) {
        e_.transactional = false;
        return e_.Fail("25001", "the statement cannot be executed from a function");
      }
      const absl::Status status = Nested(e_, raw.stmt(), text);
      RETURN_IF_ERROR(status);
    }
    return absl::OkStatus();
  }

  // EXECUTE of a text: known where it is a constant, or format() of constants.
  absl::Status Dynamic(const std::string& expression) {
    const auto tree = ParseExpression(expression);
    std::string text;
    if (tree.has_value() && Constant(*tree, &text)) return Sql(text);
    e_.Warn("unknown-effect", Severity::kWarning,
            absl::StrCat("it runs SQL that it puts together: EXECUTE ", expression));
    return absl::OkStatus();
  }

  // The text that an expression of constants gives.
  bool Constant(const Node& node, std::string* text) {
    if (node.has_a_const() && node.a_const().has_sval()) {
      *text = node.a_const().sval().sval();
      return true;
    }
    if (node.has_a_const() && node.a_const().has_ival()) {
      *text = absl::StrCat(node.a_const().ival().ival());
      return true;
    }
    if (node.has_type_cast()) return Constant(node.type_cast().arg(), text);
    if (node.has_a_expr() && NameParts(node.a_expr().name()).second == "||") {
      std::string left, right;
      if (!Constant(node.a_expr().lexpr(), &left) || !Constant(node.a_expr().rexpr(), &right)) return false;
      *text = left + right;
      return true;
    }
    if (node.has_func_call()) return Call(node.func_call(), text);
    return false;
  }

  bool Call(const pg_query::FuncCall& call, std::string* text) {
    const std::string name = NameParts(call.funcname()).second;
    std::vector<std::string> arguments;
    for (const Node& node : call.args()) {
      std::string argument;
      if (!Constant(node, &argument)) return false;
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

  // Conditions over the catalogue are asked of the server, where there is one; else each way may be taken.
  absl::Status If(const Struct& statement) {
    const Value* condition = Field(statement, "cond");
    std::optional<bool> truth;
    if (condition != nullptr) {
      const Value* inner = Field(condition->struct_value(), "PLpgSQL_expr");
      if (inner != nullptr) {
        truth = Ask(QueryOfExpression(*inner));
        if (!truth.has_value()) RETURN_IF_ERROR(Expression(QueryOfExpression(*inner)));
      }
    }
    if (truth.value_or(true)) {
      if (const Value* body = Field(statement, "then_body")) RETURN_IF_ERROR(Run(*body));
    }
    if (truth.has_value() && *truth) return absl::OkStatus();
    if (const Value* others = Field(statement, "elsif_list")) RETURN_IF_ERROR(Run(*others));
    if (const Value* body = Field(statement, "else_body")) RETURN_IF_ERROR(Run(*body));
    return absl::OkStatus();
  }

  std::optional<bool> Ask(const std::string& condition) {
    if (e_.session.explainer == nullptr || e_.session.changed) return std::nullopt;
    return e_.session.explainer->Evaluate(condition);
  }

  absl::Status Expression(const std::string& text) {
    const auto tree = ParseExpression(text);
    if (!tree.has_value()) return absl::OkStatus();
    bool reads = false;
    sql::Walk(*tree, [&](const google::protobuf::Message& m) {
      reads |= m.GetDescriptor() == pg_query::SubLink::descriptor() ||
               m.GetDescriptor() == pg_query::FuncCall::descriptor();
      return !reads;
    });
    return reads ? Sql("SELECT " + text) : absl::OkStatus();
  }

  Effects& e_;
};

absl::Status RunPlpgsql(Effects& e, const std::string& definition) {
  const auto json = sql::ParsePlpgsql(definition);
  Value value;
  if (!json.ok() || !google::protobuf::util::JsonStringToMessage(*json, &value).ok()) {
    e.Warn("unknown-effect", Severity::kWarning, "its body cannot be read here");
    return absl::OkStatus();
  }
  return Body(&e).Run(value);
}

}  // namespace

absl::Status LintDo(Effects& e, const pg_query::DoStmt& statement) {
  std::string language = "plpgsql", body;
  for (const Node& node : statement.args()) {
    if (node.def_elem().defname() == "language") language = ConstantText(node.def_elem().arg());
    if (node.def_elem().defname() == "as") body = ConstantText(node.def_elem().arg());
  }
  if (language != "plpgsql") {
    e.Warn("unknown-effect", Severity::kWarning,
           absl::StrCat("what a body in ", language, " does is not known here"));
    return absl::OkStatus();
  }
  return RunPlpgsql(e, absl::StrCat("DO ", sql::Literal(body)));
}

absl::Status LintFunctionCall(Effects& e, const Function& function) {
  if (e.session.depth >= kMostDepth) return absl::OkStatus();
  ++e.session.depth;
  absl::Status status;
  if (function.language == "plpgsql") {
    const bool trigger = function.result == 2279;
    std::string arguments;
    for (int i = 0; i < function.arguments; ++i) absl::StrAppend(&arguments, i == 0 ? "" : ", ", "text");
    status = RunPlpgsql(
        e, absl::StrCat("CREATE FUNCTION f(", arguments, ") RETURNS ", trigger ? "trigger" : "void",
                        " LANGUAGE plpgsql AS ", sql::Literal(function.body)));
  } else if (function.language == "sql") {
    if (auto tree = sql::Parse(function.body); tree.ok()) {
      for (const auto& raw : tree->stmts()) {
        if (status.ok()) status = Nested(e, raw.stmt(), function.body);
      }
    }
  }
  --e.session.depth;
  return status;
}

}  // namespace curlew::lint
