#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/canonical_json.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/plan/check.h"
#include "common/plan/plan_reader.h"
#include "common/plan/rules.h"
#include "common/plan/safety.h"
#include "common/plan/scalar.h"
#include "common/plan/settings.h"
#include "common/sql/expression.h"
#include "common/sql/identifier.h"
#include "common/sql/statement.h"
#include "curlew/v1/options.pb.h"

namespace curlew::plan {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::OneofDescriptor;
using google::protobuf::Reflection;

absl::Status CheckSyntax(v1::Syntax syntax, const std::string& text, const std::string& path) {
  if (syntax == v1::SYNTAX_UNSPECIFIED) return absl::OkStatus();
  const auto located = [&](const absl::Status& status) {
    return status.ok() ? status : FieldError(path, status.message());
  };
  switch (syntax) {
    case v1::SYNTAX_TABLE:
    case v1::SYNTAX_QUALIFIED_NAME:
      return located(sql::ParseTableName(text).status());
    case v1::SYNTAX_NAME:
      if (!text.empty() && text.size() <= 63) return absl::OkStatus();
      return FieldError(
          path, absl::StrCat("\"", text, "\" has ", text.size(), " bytes; a name in PostgreSQL has 1 to 63"));
    case v1::SYNTAX_TYPE:
      return located(sql::CheckType(text));
    case v1::SYNTAX_EXPRESSION:
      return located(sql::Expression::Parse(text).status());
    case v1::SYNTAX_STATEMENTS: {
      auto statements = sql::ParseStatements(text);
      if (!statements.ok()) return located(statements.status());
      return statements->empty() ? FieldError(path, "holds no statement") : absl::OkStatus();
    }
    default:
      return absl::OkStatus();
  }
}

absl::string_view KindName(v1::ObjectKind kind) {
  switch (kind) {
    case v1::OBJECT_KIND_COLUMN:
      return "column";
    case v1::OBJECT_KIND_INDEX:
      return "index";
    case v1::OBJECT_KIND_CONSTRAINT:
      return "constraint";
    default:
      return "object";
  }
}

// Checks what the descriptor says of the fields of a plan.
class Validator {
 public:
  absl::Status CheckMessage(const Message& message, const std::string& path) {
    const Descriptor* type = message.GetDescriptor();
    const Reflection* r = message.GetReflection();
    for (int i = 0; i < type->real_oneof_decl_count(); ++i) {
      if (!r->HasOneof(message, type->oneof_decl(i))) return NothingChosen(type->oneof_decl(i), path);
    }
    for (int i = 0; i < type->field_count(); ++i) {
      RETURN_IF_ERROR(CheckField(message, type->field(i), Child(path, type->field(i)->name())));
    }
    return absl::OkStatus();
  }

 private:
  static std::string Child(const std::string& path, const std::string& name) {
    return path.empty() ? name : absl::StrCat(path, ".", name);
  }

  static absl::Status NothingChosen(const OneofDescriptor* oneof, const std::string& path) {
    std::vector<std::string> members;
    for (int i = 0; i < oneof->field_count(); ++i) members.push_back(oneof->field(i)->name());
    return FieldError(path, absl::StrCat("is empty; give one of: ", absl::StrJoin(members, ", ")));
  }

  absl::Status CheckField(const Message& message, const FieldDescriptor* field, const std::string& path) {
    const Reflection* r = message.GetReflection();
    const bool given = field->is_repeated() ? r->FieldSize(message, field) > 0 : r->HasField(message, field);
    if (!given) {
      if (!field->options().GetExtension(v1::required)) return absl::OkStatus();
      return FieldError(path, field->is_repeated() ? "needs at least one entry" : "is required");
    }
    if (!field->is_repeated()) return CheckValue(message, field, -1, path);
    std::set<std::string> seen;
    for (int i = 0; i < r->FieldSize(message, field); ++i) {
      const std::string entry = absl::StrCat(path, "[", i, "]");
      RETURN_IF_ERROR(CheckValue(message, field, i, entry));
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
        const std::string text = r->GetRepeatedString(message, field, i);
        if (!seen.insert(text).second)
          return FieldError(entry, absl::StrCat("\"", text, "\" stands there twice"));
      }
    }
    return absl::OkStatus();
  }

  // `index` is -1 for a singular field.
  absl::Status CheckValue(const Message& message, const FieldDescriptor* field, int index,
                          const std::string& path) {
    const Reflection* r = message.GetReflection();
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      return CheckMessage(
          index < 0 ? r->GetMessage(message, field) : r->GetRepeatedMessage(message, field, index), path);
    }
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
      const int number =
          index < 0 ? r->GetEnumValue(message, field) : r->GetRepeatedEnumValue(message, field, index);
      if (field->enum_type()->FindValueByNumber(number) != nullptr) return absl::OkStatus();
      return FieldError(path,
                        absl::StrCat("the value ", number, " is unknown; was it written by a newer Curlew?"));
    }
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) return absl::OkStatus();
    const std::string text =
        index < 0 ? r->GetString(message, field) : r->GetRepeatedString(message, field, index);
    if (text.find('\0') != std::string::npos) return FieldError(path, "a text cannot hold the character NUL");
    RETURN_IF_ERROR(CheckSyntax(field->options().GetExtension(v1::syntax), text, path));
    for (int i = 0; i < field->options().ExtensionSize(v1::creates); ++i) {
      RETURN_IF_ERROR(CheckCreated(message, field->options().GetExtension(v1::creates, i), text, path));
    }
    return absl::OkStatus();
  }

  absl::Status CheckCreated(const Message& operation, v1::ObjectKind kind, const std::string& name,
                            const std::string& path) {
    ASSIGN_OR_RETURN(sql::TableName table, TableOf(operation, path));
    // Two indexes of one schema cannot share a name, whatever their tables are.
    if (kind == v1::OBJECT_KIND_INDEX) table.name.clear();
    auto [first, is_new] = created_.emplace(std::make_tuple(kind, table, name), path);
    if (is_new) return absl::OkStatus();
    return FieldError(path, absl::StrCat("the ", KindName(kind), " ", name, " is made by ", first->second,
                                         " already; give it another name, or leave one of them out"));
  }

  static absl::StatusOr<sql::TableName> TableOf(const Message& operation, const std::string& path) {
    const Descriptor* type = operation.GetDescriptor();
    for (int i = 0; i < type->field_count(); ++i) {
      if (type->field(i)->options().GetExtension(v1::syntax) != v1::SYNTAX_TABLE) continue;
      auto table = sql::ParseTableName(operation.GetReflection()->GetString(operation, type->field(i)));
      if (!table.ok()) return FieldError(path, table.status().message());
      return table;
    }
    return absl::InternalError(absl::StrCat(type->full_name(), " makes something and names no table"));
  }

  // What is made, by which field.
  std::map<std::tuple<v1::ObjectKind, sql::TableName, std::string>, std::string> created_;
};

absl::Status CheckSize(size_t bytes) {
  if (bytes <= kLargestPlan) return absl::OkStatus();
  return FieldError("operations", absl::StrCat("the plan has ", bytes, " bytes, more than ", kLargestPlan,
                                               "; make several plans of it, and keep data out of them: a "
                                               "backfill computes what it writes"));
}

}  // namespace

absl::Status Validate(const v1::Plan& plan) {
  if (plan.operations_size() > kMostOperations) {
    return FieldError("operations",
                      absl::StrCat("has ", plan.operations_size(), " entries, more than ", kMostOperations,
                                   "; make several plans of them, each with what belongs together"));
  }
  // Before it is looked at closely; the canonical form, which has all names in it, can only be larger.
  RETURN_IF_ERROR(CheckSize(plan.ByteSizeLong()));
  if (!IsId(plan.name())) {
    return FieldError("name", plan.name().empty()
                                  ? "is required; a plan is called by it"
                                  : absl::StrCat("\"", plan.name(),
                                                 "\" is not 1 to 63 lower-case letters, digits and "
                                                 "dashes (no dash at either end)"));
  }
  RETURN_IF_ERROR(Validator().CheckMessage(plan, ""));
  for (int i = 0; i < plan.operations_size(); ++i) {
    RETURN_IF_ERROR(CheckRules(plan.operations(i), absl::StrCat("operations[", i, "]")));
  }
  RETURN_IF_ERROR(ValidateSafety(plan));
  RETURN_IF_ERROR(ValidateSettings(plan.settings()));
  return CheckSize(base::CanonicalJson(plan).size());
}

}  // namespace curlew::plan
