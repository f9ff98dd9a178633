"""Causal language models of the Hugging Face format, tuned with LoRA by transformers and peft."""
