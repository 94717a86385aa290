from __future__ import annotations

from service.chat.versions import Line, differences
from service.models import SETTINGS, ChatbotVersion


def names(old: ChatbotVersion, new: ChatbotVersion) -> list[str]:
    return [difference.setting for difference in differences(old, new)]


def test_versions_with_the_same_settings_do_not_differ() -> None:
    assert differences(ChatbotVersion(number=1, notes="One"), ChatbotVersion(number=2, notes="Two")) == []


def test_the_lines_of_a_prompt_stand_side_by_side() -> None:
    old = ChatbotVersion(system_prompt="Be kind.\nBe brief.\nBe gone.")
    new = ChatbotVersion(system_prompt="Be kind.\nBe thorough.\nSay hello.\nBe gone.")
    (prompt,) = differences(old, new)
    assert (prompt.setting, prompt.is_json) == ("system_prompt", False)
    assert prompt.lines == (
        Line((1, "Be kind."), (1, "Be kind."), is_changed=False),
        Line((2, "Be brief."), (2, "Be thorough."), is_changed=True),
        Line(None, (3, "Say hello."), is_changed=True),
        Line((3, "Be gone."), (4, "Be gone."), is_changed=False),
    )


def test_json_is_compared_by_what_it_says_and_shown_line_by_line() -> None:
    old, new = ChatbotVersion(config={"b": 1, "a": 2}), ChatbotVersion(config={"a": 2, "b": 3})
    (config,) = differences(old, new)
    assert config.is_json
    assert [line for line in config.lines if line.is_changed] == [Line((3, '  "b": 1'), (3, '  "b": 3'), True)]
    assert names(ChatbotVersion(config={"b": 1, "a": 2}), ChatbotVersion(config={"a": 2, "b": 1})) == []


def test_what_was_not_set_before_has_no_lines_there() -> None:
    (namespace,) = differences(ChatbotVersion(vector_namespace=None), ChatbotVersion(vector_namespace="docs"))
    assert namespace.lines == (Line(None, (1, "docs"), is_changed=True),)


def test_every_setting_is_compared_in_the_usual_order() -> None:
    texts = dict.fromkeys(SETTINGS, "x")
    values = texts | {"config": {"x": 1}, "rag_settings": {"x": 1}, "ingestion_run_ids": [1]}
    assert names(ChatbotVersion(), ChatbotVersion(**values)) == list(SETTINGS)
