"""Texts that the tests of understanding turns share."""

ARTICLE = 'The city of Bern said on Monday: "We will plant 500 trees." Residents welcomed the plan, but some asked who would pay. The mayor answered: the state.\nWork starts in spring. Will it be done in time?'
REPORT_ZH = "伯尔尼市周一表示：“我们将种植五百棵树。”居民对此表示欢迎，但有人问谁来出钱。\n工程将于春天开始。能按时完成吗？"
