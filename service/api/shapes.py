"""The shapes of answers: what the API says of each thing."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from service.api.values import Answer, Stamp
from service.models import Chatbot, ChatbotVersion, Conversation, Message, Persona, ToolLog


class ChatbotEntry(Answer):
    id: int
    title: str
    version: int | None = Field(None, description="The current one; null until the chatbot is used for the first time.")
    model_provider: str
    model_name: str
    created_at: Stamp


class Settings(Answer):
    """What a version freezes."""

    system_prompt: str
    model_provider: str
    model_name: str
    pinecone_namespace: str | None
    vector_namespace: str | None
    config: dict[str, Any]
    rag_settings: dict[str, Any]
    ingestion_run_ids: list[Any]


class ChatbotAnswer(Settings):
    id: int
    title: str
    version: int
    created_at: Stamp

    @classmethod
    def of(cls, chatbot: Chatbot, current: ChatbotVersion) -> ChatbotAnswer:
        settings = Settings.model_validate(current).model_dump()
        return cls(
            id=chatbot.id, title=chatbot.title, version=current.number, created_at=chatbot.created_at, **settings
        )


class VersionEntry(Answer):
    number: int
    notes: str
    created_by: str | None = Field(description="The email of its author.")
    created_at: Stamp
    is_current: bool


class VersionAnswer(VersionEntry, Settings):
    pass


class PersonaAnswer(Answer):
    id: int
    name: str
    description: str
    instructions: str
    color: str
    is_active: bool
    created_at: Stamp

    @classmethod
    def of(cls, persona: Persona) -> PersonaAnswer:
        return cls.model_validate(persona)


class ConversationAnswer(Answer):
    id: int
    title: str
    chatbot_id: int
    chatbot: str
    version: int | None = Field(description="The version that it began with.")
    channel: str
    thread: str | None
    created_at: Stamp
    updated_at: Stamp

    @classmethod
    def of(cls, conversation: Conversation) -> ConversationAnswer:
        version = conversation.chatbot_version
        return cls(
            id=conversation.id,
            title=conversation.title,
            chatbot_id=conversation.chatbot.id,
            chatbot=conversation.chatbot.title,
            version=version.number if version else None,
            channel=conversation.channel,
            thread=conversation.thread,
            created_at=conversation.created_at,
            updated_at=conversation.updated_at,
        )


class MessageAnswer(Answer):
    id: int
    conversation_id: int | None
    role: Literal["user", "assistant", "twin", "system", "tool"]
    content: str
    persona_id: int | None
    reply_to: int | None
    created_at: Stamp
    duration_ms: int | None = Field(description="How long the person waited for it.")
    input_tokens: int | None
    output_tokens: int | None
    is_apology: bool = Field(description="No answer could be given; this says so.")

    @classmethod
    def of(cls, message: Message) -> MessageAnswer:
        stored = message.__data__
        return cls(
            id=message.id,
            conversation_id=message.conversation_id,
            role=message.role,  # type: ignore[arg-type]  # a check of the database holds it
            content=message.content,
            persona_id=stored["persona"],
            reply_to=stored["reply_to"],
            created_at=message.created_at,
            duration_ms=message.duration_ms,
            input_tokens=message.input_tokens,
            output_tokens=message.output_tokens,
            is_apology=message.error is not None,
        )


class ToolCallAnswer(Answer):
    id: int
    conversation_id: int | None
    message_id: int | None
    server: str
    tool: str
    arguments: Any
    result: str | None
    error: str | None
    duration_ms: int | None
    created_at: Stamp

    @classmethod
    def of(cls, call: ToolLog) -> ToolCallAnswer:
        stored = {name: value for name, value in call.__data__.items() if name not in ("session", "message")}
        return cls(conversation_id=call.__data__["session"], message_id=call.__data__["message"], **stored)
